import { Runtime } from '@temporalio/worker';

/**
 * Lets the SDK download its dev server into a folder: argv is FOLDER VERSION. A process of its own, because the
 * SDK's native runtime takes over signals and memory that the supervisor must keep to itself.
 */
const [, , downloadDir, version] = process.argv;
if (downloadDir === undefined || version === undefined) {
  process.stderr.write('usage: temporal-download FOLDER VERSION\n');
  process.exit(2);
}

try {
  const runtime = Runtime.install({ shutdownSignals: [] });
  // The SDK has no call that only downloads: the server is started once and ended.
  const server = await runtime.createEphemeralServer({
    type: 'dev-server',
    exe: {
      type: 'cached-download',
      downloadDir,
      version,
      ttl: 1_000,
      sdkName: 'sdk-typescript',
      sdkVersion: '1.24.0',
    },
    namespace: 'default',
    ip: '127.0.0.1',
    port: null,
    uiPort: null,
    dbFilename: null,
    ui: false,
    log: { format: 'pretty', level: 'error' },
    extraArgs: [],
  });
  await runtime.shutdownEphemeralServer(server);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
process.exit(0);

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { writeSandboxEndpoints } from '../../config/endpoints.js';
import { clearProviderVariables, processVariables, startNonce } from '../../config/environment.js';
import { loadConfig } from '../../config/load.js';
import { writePrivateFile } from '../../config/private-files.js';
import { openSecrets, operatorPasswordFile, secretFile } from '../../config/secrets.js';
import { prepareDataFolder } from '../../embedded/data-folder.js';
import { leaveWithSupervisor, reportReady } from '../../embedded/child-side.js';
import { SandboxControl } from '../../sandbox/control-client.js';
import { startSandbox } from '../../sandbox/start.js';
import { explain } from '../explain.js';
import { endWithCaller } from '../run-program.js';

/** The process behind `countersign sandbox`: stand-ins, edge and issuer, until it is told to leave. */
try {
  await main();
} catch (error) {
  const { message, exitCode } = explain(error);
  process.stderr.write(`countersign: ${message}\n`);
  process.exit(exitCode);
}

async function main(): Promise<void> {
  process.umask(0o077);
  clearProviderVariables();
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      'api-port': { type: 'string' },
      'control-port': { type: 'string' },
      'edge-port': { type: 'string' },
      'issuer-port': { type: 'string' },
      audience: { type: 'string' },
      'webhook-url': { type: 'string' },
    },
  });
  const { dataDir } = loadConfig({
    env: processVariables(),
    cwd: process.cwd(),
    args: values.data === undefined ? {} : { data: values.data },
  });
  prepareDataFolder(dataDir);
  const { webhookSecret } = openSecrets(dataDir);
  const sandboxDir = path.join(dataDir, 'sandbox');
  const running = await startSandbox({
    dataDir: sandboxDir,
    apiPort: Number(values['api-port'] ?? 0),
    controlPort: Number(values['control-port'] ?? 0),
    edgePort: Number(values['edge-port'] ?? 0),
    issuerPort: Number(values['issuer-port'] ?? 0),
    audience: values.audience,
  });
  // The sandbox draws its own secrets; whoever mints credentials or moves its clock finds them beside ours.
  writePrivateFile(secretFile(dataDir, 'controlToken'), `${running.controlToken}\n`);
  const secret = readFileSync(path.join(sandboxDir, 'secret'), 'utf8').trim();
  writePrivateFile(secretFile(dataDir, 'sandboxSecret'), `${secret}\n`);
  // Whoever holds a credential at Cloudflare has an account of their own: prices of domains are read in it.
  await new SandboxControl(running).people('main', {
    do: 'consent',
    email: 'platform@example.com',
    name: 'the platform itself',
  });
  // Our server takes what the stand-in for Stripe calls out, by the data folder's own secret.
  if (values['webhook-url'] !== undefined)
    await new SandboxControl(running).people('main', {
      do: 'add-webhook-endpoint',
      url: values['webhook-url'],
      secret: webhookSecret,
    });
  // One person can sign in from the start; a password of theirs lies where only they can read it.
  writePrivateFile(operatorPasswordFile(dataDir), `${running.operatorPassword}\n`);
  const { apiUrl, controlUrl, edgeUrl, issuerUrl } = running;
  // A supervisor tells where everything answers; started alone, we tell it ourselves.
  if (startNonce(processVariables()) === undefined)
    writeSandboxEndpoints(dataDir, {
      ...{ apiUrl, controlUrl, edgeUrl, issuerUrl },
      controlTokenFile: secretFile(dataDir, 'controlToken'),
    });
  leaveWithSupervisor(() => running.close());
  endWithCaller();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void running.close().then(() => process.exit(0)));
  process.stderr.write(
    `sandbox: providers ${apiUrl}, control ${controlUrl}, edge ${edgeUrl}, issuer ${issuerUrl}\n`,
  );
  reportReady();
}

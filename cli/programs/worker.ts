import { parseArgs } from 'node:util';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { clearProviderVariables, processVariables } from '../../config/environment.js';
import { loadConfig } from '../../config/load.js';
import { leaveWithSupervisor, reportReady } from '../../embedded/child-side.js';
import { failpointsFrom } from '../../workers/failpoints.js';
import { runWorker } from '../../workers/run-worker.js';
import { noticeSettings } from '../../workers/notice-settings.js';
import { gatewaySettings, temporalSettings } from '../../workers/settings.js';
import { explain } from '../explain.js';
import { endWithCaller } from '../run-program.js';
import { roleOf } from '../verbs/processes.js';

/** The process behind `countersign worker`: one worker, until it is told to leave. */
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
    options: { role: { type: 'string' }, data: { type: 'string' }, recover: { type: 'boolean' } },
  });
  const role = roleOf(values.role ?? 'all');
  const config = loadConfig({
    env: processVariables(),
    cwd: process.cwd(),
    args: values.data === undefined ? {} : { data: values.data },
  });
  const worker = await runWorker({
    role,
    recover: values.recover === true,
    temporal: temporalSettings(config),
    ...(role === 'workflows' ? {} : { gateway: await gatewaySettings(config, role) }),
    ...(role === 'compensations' || role === 'all' ? { notices: noticeSettings(config) } : {}),
    bundlePath: fileURLToPath(new URL('../../workflow-bundle.js', import.meta.url)),
    // Only a stack of one machine has places where a test may end a worker.
    ...(config.mode === 'embedded'
      ? { failpoint: failpointsFrom(path.join(config.dataDir, 'failpoints')) }
      : {}),
  });
  leaveWithSupervisor(() => worker.stop());
  endWithCaller();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void worker.stop().then(() => process.exit(0)));
  process.stderr.write(`worker: ${role} is polling\n`);
  reportReady();
  await worker.ended;
}

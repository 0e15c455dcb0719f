// A worker that is none of ours, on a queue of its own: all that it shares with us is the Temporal server.
import { fileURLToPath } from 'node:url';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';

Runtime.install({ logger: new DefaultLogger('ERROR') });
const connection = await NativeConnection.connect({ address: process.argv[2] });
const worker = await Worker.create({
  connection,
  taskQueue: 'rogue',
  workflowsPath: fileURLToPath(new URL('./rogue-workflow.mjs', import.meta.url)),
});
process.stdout.write('ready\n');
process.stdin.resume().once('end', () => process.exit(0));
await worker.run();

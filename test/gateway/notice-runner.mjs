// A process that opens a gate, or sends what waits, and is killed where it is told to be. Part of no build.
import { createEgress } from '../../dist/gateway/egress.js';
import { dispatchNotices } from '../../dist/gateway/notice-dispatch.js';
import { connect } from '../../dist/store/connect.js';
import { bareGateway } from './bare-gateway.mjs';

const [url, instance, receiver, runId, place] = process.argv.slice(2);
const db = connect(url, { max: 6 });
// Nothing in this process runs after it: not a handler, not a line that is waited for.
const die = () => process.kill(process.pid, 'SIGKILL');

if (runId !== '') {
  await bareGateway(db, instance).gateway.openGate(runId, 'plan');
  if (place === 'commit') die();
}
const counts = await dispatchNotices({
  db,
  instance,
  egress: createEgress({ edgeOverride: receiver }),
  secretOf: () => 'a secret of 32 bytes, more or less',
  failpoint: (here) => {
    if (here.startsWith(`${place}@`)) die();
  },
});
await db.destroy();
process.stdout.write(JSON.stringify(counts));

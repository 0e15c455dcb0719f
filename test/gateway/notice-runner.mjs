// A process that opens a gate, or sends what waits, and is killed where it is told to be. Part of no build.
import { createGateway, createParts } from '../../dist/gateway/create-gateway.js';
import { createDoor } from '../../dist/gateway/door.js';
import { createEgress } from '../../dist/gateway/egress.js';
import { dispatchNotices } from '../../dist/gateway/notice-dispatch.js';
import { connect } from '../../dist/store/connect.js';

const [url, instance, receiver, runId, place] = process.argv.slice(2);
const db = connect(url, { max: 6 });
// Nothing in this process runs after it: not a handler, not a line that is waited for.
const die = () => process.kill(process.pid, 'SIGKILL');

if (runId !== '') {
  const parts = createParts({
    db,
    door: createDoor(db),
    instance,
    operations: [],
    readers: {},
    providers: 'sandbox',
    credentials: {},
    settling: { stripe: 1_000, cloudflare: 1_000 },
    egress: () => Promise.reject(new Error('nothing is fetched')),
  });
  await createGateway(parts).openGate(runId, 'plan');
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

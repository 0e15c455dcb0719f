// A process that opens a gate, or sends what waits, and is killed where it is told to be. Part of no build.
import pg from 'pg';
import { createEgress } from '../../dist/gateway/egress.js';
import { dispatchNotices } from '../../dist/gateway/notice-dispatch.js';
import { connect } from '../../dist/store/connect.js';
import { bareGateway } from './bare-gateway.mjs';

const [url, instance, receiver, runId, place] = process.argv.slice(2);
const db = connect(url, { max: 6 });
// Nothing in this process runs after it: not a handler, not a line that is waited for.
const die = () => process.kill(process.pid, 'SIGKILL');

if (place === 'commit') {
  // The very commit that makes the gate stand is the last thing this process does.
  const { query } = pg.Client.prototype;
  const opening = new WeakSet();
  pg.Client.prototype.query = function (text, ...rest) {
    const answer = query.call(this, text, ...rest);
    const words = typeof text === 'string' ? text : (text?.text ?? '');
    if (words.startsWith('insert into "gates"')) opening.add(this);
    return words === 'commit' && opening.has(this) ? answer.then(die) : answer;
  };
}
if (runId !== '') await bareGateway(db, instance).gateway.openGate(runId, 'plan');
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

// One process of the race for a cap: a gateway of its own opens the first gate of every run it is given, all at once, and
// ends those that are refused as the workflow would. Prints how each ended. Lies in the tests and is part of no build.
import { createInterface } from 'node:readline';
import { connect } from '../../dist/store/connect.js';
import { bareGateway } from './bare-gateway.mjs';

const [url, instance] = process.argv.slice(2);
const db = connect(url, { max: 6 });
const { parts, gateway } = bareGateway(db, instance);

async function ending(runId) {
  try {
    const opened = await gateway.openGate(runId, 'plan');
    return { runId, passed: opened.gateId === undefined };
  } catch (error) {
    const step = 'create-customer';
    await gateway.recordFailure(runId, step, error.code, error.message);
    await gateway.closeDoor(runId, { kind: 'failure', step });
    const { phase, why, denials } = await gateway.finish(runId, error.message);
    return { runId, phase, why, rules: (denials ?? []).map(({ rule }) => rule) };
  }
}

const runs = [];
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'go') break;
  runs.push(line);
  if (runs.length === 1) await parts.door.rows(line);
}
const endings = await Promise.all(runs.map(ending));
await db.destroy();
process.stdout.write(JSON.stringify(endings));

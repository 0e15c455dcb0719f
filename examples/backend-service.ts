// A backend service that starts a run and follows it. It needs a Temporal address and a service key, nothing else.
import { readFileSync } from 'node:fs';
import { createClient } from '../client/client.js';

const [address = '127.0.0.1:7233', serviceKey = 'service-key.json', file = 'request.json'] =
  process.argv.slice(2);
const request: unknown = JSON.parse(readFileSync(file, 'utf8'));

const countersign = await createClient({ address, serviceKey });
const run = await countersign.start({ runId: 'launch-7', request });
const end = await run.watch(({ phase, waitsFor }) => console.log(phase, waitsFor?.command ?? ''));
console.log(`${end.phase}: spent ${end.spentMinor} cents`, end.residue);
await countersign.close();

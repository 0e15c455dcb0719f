// A gateway in a process of its own that performs one step and freezes itself where it is told to: SIGSTOP, as from
// outside, but at a known place. Prints how it ended. Lies in the tests and is part of no build.
import { writeSync } from 'node:fs';
import { quoteReaders } from '../../dist/activities/quote-readers.js';
import { stepEffects } from '../../dist/activities/step-effects.js';
import { createGateway, createParts } from '../../dist/gateway/create-gateway.js';
import { createDoor } from '../../dist/gateway/door.js';
import { createEgress } from '../../dist/gateway/egress.js';
import { createKeyring, keyIdOf } from '../../dist/gateway/keyring.js';
import { connect } from '../../dist/store/connect.js';

const [settings, runId, step, place] = process.argv.slice(2).map((given) => JSON.parse(given));
const db = connect(settings.databaseUrl, { max: 3 });
const key = Buffer.from(settings.sealingKey, 'hex');
const both = (value) => ({ stripe: value, cloudflare: value });
const gateway = createGateway(
  createParts({
    db,
    door: createDoor(db),
    instance: settings.instance,
    operations: stepEffects,
    readers: quoteReaders,
    providers: 'sandbox',
    credentials: settings.credentials,
    keyring: createKeyring(() => [{ keyId: keyIdOf(key), key }]),
    settling: both(settings.settlingMs),
    httpTimeouts: both(settings.httpTimeoutMs),
    egress: createEgress({ edgeOverride: settings.edgeUrl }),
  }),
);
const failpoint = (name) => {
  if (name !== place) return;
  writeSync(1, 'frozen\n');
  process.kill(process.pid, 'SIGSTOP');
};
const signal = new AbortController().signal;
try {
  await gateway.perform(runId, step, {
    token: `frozen-${process.pid}`,
    attempt: 1,
    signal,
    failpoint,
  });
  writeSync(1, 'done\n');
} catch (error) {
  writeSync(1, `${error.code ?? error}: ${error.message}\n`);
}
await db.destroy();

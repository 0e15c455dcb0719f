import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { quoteReaders } from '../activities/quote-readers.js';
import { Failure } from '../domain/errors.js';
import type { Instance, RunId } from '../domain/ids.js';
import { EFFECT_STEPS } from '../domain/steps.js';
import type { EffectStep } from '../domain/steps.js';
import type { Gateway } from '../gateway/contract.js';
import { createGateway, createParts } from '../gateway/create-gateway.js';
import { createDoor } from '../gateway/door.js';
import { connect } from '../store/connect.js';
import { HTTP_TIMEOUT_MS, sender, SETTLING_MS } from '../test/gateway/house.js';
import { stubOperations } from '../test/gateway/stub-operations.js';

/**
 * One sender of the measured stop: a gateway in a process of its own. At each line on its input it takes its runs
 * forward, some at a time, until every one of them was refused by a stop or has nothing left to do; then it says so.
 */
export interface SenderSettings {
  readonly databaseUrl: string;
  readonly instance: Instance;
  readonly origin: string;
  readonly runs: readonly RunId[];
}

/** How many runs a sender has under way at once, as a worker has activities. */
const LANES = 8;
const STEPS = EFFECT_STEPS.filter((step) => step !== 'configure-dns');

const settings = JSON.parse(process.argv[2] ?? '') as SenderSettings;
const db = connect(settings.databaseUrl, { max: LANES });
const both = <T>(value: T) => ({ stripe: value, cloudflare: value });
const held = {
  stripe: { apiKey: `sk_test_main_actions_${'0'.repeat(32)}`, origin: settings.origin },
  cloudflare: { apiToken: `cf_main_actions_${'0'.repeat(32)}`, origin: settings.origin },
};
const gateway = createGateway(
  createParts({
    db,
    door: createDoor(db),
    instance: settings.instance,
    operations: stubOperations({ checks: new Map(), usedByOthers: new Set(), stubborn: new Set() }),
    readers: quoteReaders,
    providers: 'sandbox',
    credentials: { actions: held, reads: held, accounts: held.cloudflare },
    settling: both(SETTLING_MS),
    httpTimeouts: both(HTTP_TIMEOUT_MS),
    egress: () => Promise.reject(new Error('nothing is fetched')),
  }),
);

/** True once a stop has refused the step; false once it is done. What may be tried again is. */
async function refused(of: Gateway, runId: RunId, step: EffectStep): Promise<boolean> {
  for (;;) {
    try {
      await of.perform(runId, step, sender());
      return false;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (error.code === 'FENCED') return true;
      if (!AGAIN.has(error.code)) throw error;
      await pause(Math.min(error.retryAfterMs ?? 100, 500));
    }
  }
}
const AGAIN: ReadonlySet<string> = new Set([
  'BUSY',
  'OUTCOME_UNKNOWN',
  'PROVIDER_UNAVAILABLE',
  'STORE_UNAVAILABLE',
]);

const next = new Map<RunId, number>(settings.runs.map((runId) => [runId, 0]));

/** One step of each run in turn, so that all of them are under way. */
async function untilStopped(): Promise<void> {
  const queue = settings.runs.filter((runId) => (next.get(runId) ?? 0) < STEPS.length);
  const lane = async (): Promise<void> => {
    for (let runId = queue.shift(); runId !== undefined; runId = queue.shift()) {
      const at = next.get(runId) ?? 0;
      const step = STEPS[at];
      if (step === undefined || (await refused(gateway, runId, step))) continue;
      next.set(runId, at + 1);
      queue.push(runId);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

for await (const line of createInterface({ input: process.stdin })) {
  if (line !== 'go') break;
  await untilStopped();
  process.stdout.write('obeyed\n');
}
await db.destroy();

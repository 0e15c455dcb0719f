import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { moneyBackReaders } from '../../activities/stripe/money-back.js';
import { eventually } from '../../cli/demo/stage.js';
import type { RunId } from '../../domain/ids.js';
import { createDocumentReader } from '../../gateway/egress.js';
import { handleWakeups } from '../../gateway/money-back.js';
import type { ServerParts } from '../../server/parts.js';
import { startServer } from '../../server/start-server.js';
import type { RunningServer } from '../../server/start-server.js';
import { createVerifier } from '../../server/verify-token.js';
import { openSandbox, persist, takenBack, upTo } from '../gateway/at-sandbox.js';
import type { AtSandbox, Sandboxed } from '../gateway/at-sandbox.js';
import { admitted, approved } from '../gateway/house.js';

/** The stand-in for Stripe calls out to a real server; real readers ask it what is true. */
const SECRET = 'whsec_a-secret-for-tests-and-nothing-else';
let sandbox: Sandboxed;
let at: AtSandbox;
let server: RunningServer;
beforeAll(async () => {
  sandbox = await openSandbox();
  at = await sandbox.open('called-out');
  server = await startServer({
    ...{ host: '127.0.0.1', port: 0, healthPort: 0 },
    partsAt: (publicUrl) => ({
      ...{ gateway: at.parts, publicUrl, audience: publicUrl, issuers: [], cliClientId: '' },
      temporal: undefined as unknown as ServerParts['temporal'],
      verify: createVerifier({ issuers: [], audience: publicUrl, read: createDocumentReader({}) }),
      webhook: { secrets: [SECRET], livemode: false },
      log: pino({ level: 'silent' }),
      nowMs: Date.now,
    }),
  });
  await endpoint(SECRET);
});
afterAll(async () => {
  await server.close();
  await at.close();
  await sandbox.close();
});

const endpoint = (secret: string): Promise<unknown> =>
  at.control.people(at.world, {
    ...{ do: 'add-webhook-endpoint', url: `${server.url}/webhooks/stripe`, secret },
  });
const turn = (knobs: Record<string, unknown>): Promise<unknown> =>
  at.control.people(at.world, { do: 'webhooks', ...knobs });

interface StripeTruth {
  readonly refunds: readonly { readonly id: string }[];
  readonly webhooks: readonly {
    readonly type: string;
    readonly object: string;
    readonly answers: readonly number[];
    readonly due: number | null;
  }[];
}
const atStripe = async (): Promise<StripeTruth> =>
  (await at.control.truth(at.world)).stripe as unknown as StripeTruth;

/** Waits until every event was sent as often as it should be; answers what was answered. */
const sent = (wanted: string, times: number, of?: string): Promise<readonly number[]> =>
  eventually(`${wanted}, ${times} times`, async () => {
    const found = (await atStripe()).webhooks.findLast(
      ({ object, type }) => type === wanted && (of === undefined || object === of),
    );
    return (found?.answers.length ?? 0) >= times ? found?.answers : undefined;
  });

const events = (): Promise<{ type: string; handled_at: Date | null }[]> =>
  at.db
    .selectFrom('webhook_events')
    .select(['type', 'handled_at'])
    .orderBy('received_at')
    .execute();
const booked = () =>
  at.db
    .selectFrom('postings')
    .select(['kind', 'amount_minor'])
    .where('kind', 'in', ['dispute', 'dispute-fee', 'refund-failed'])
    .orderBy('id')
    .execute();
const cases = () =>
  at.db.selectFrom('cases').select(['kind', 'run_id']).orderBy('case_id').execute();

async function planned(runId: string): Promise<RunId> {
  const domain = { name: `${runId}.club`, years: 1 };
  const run = await admitted(at, runId, { domain, goal: `Put ${domain.name} online` });
  await approved(at, run, 'plan');
  return run;
}

/** A run that is done; what was charged for it first is its subscription. */
async function completed(): Promise<RunId> {
  const run = await planned('superseal');
  await upTo(at, run, 'attach-domain');
  await persist(at, () => at.gateway.verify(run));
  expect((await at.gateway.complete(run)).phase).toBe('completed');
  return run;
}

/** A run that was charged, stopped and unwound: what it paid was given back. */
async function unwound(): Promise<RunId> {
  const run = await planned('otter-cove');
  await upTo(at, run, 'start-subscription');
  await at.gateway.stopRun(run, 'p_ada', 'enough', 'unwind');
  for (const step of (await at.gateway.closeDoor(run, { kind: 'stopped' })).steps)
    await takenBack(at, run, step);
  await at.gateway.finish(run, 'enough');
  return run;
}

test('a dispute and a refund that fails are called out twice and turned around, and booked once as they stand', async () => {
  const reversed = await unwound();
  const done = await completed();
  const charge = (await at.control.truth(at.world)).charges.find(
    ({ provider, refundedMinor }) => provider === 'stripe' && refundedMinor === 0,
  );
  await turn({ held: true, copies: 2, order: 'reversed' });
  await at.control.people(at.world, { do: 'dispute', charge: charge?.object ?? '' });
  const [refund] = (await atStripe()).refunds;
  await at.control.people(at.world, {
    ...{ do: 'settle-refund', refund: refund?.id ?? '', status: 'failed' },
  });
  await turn({ held: false });
  for (const type of ['charge.dispute.created', 'refund.failed'])
    expect(await sent(type, 2)).toEqual([200, 200]);
  const types = (await events()).map(({ type }) => type);
  expect(types.filter((type) => type === 'refund.failed')).toHaveLength(1);
  expect(types.indexOf('charge.dispute.funds_withdrawn')).toBeLessThan(
    types.indexOf('charge.dispute.created'),
  );
  expect(await booked()).toEqual([]);
  expect((await handleWakeups(at.parts, moneyBackReaders)).unread).toBe(0);
  await handleWakeups(at.parts, moneyBackReaders);
  const rows = (await booked()).map(({ amount_minor: minor, kind }) => [kind, minor]);
  expect(rows.sort()).toEqual([
    ['dispute', 1900],
    ['dispute-fee', 1500],
    ['refund-failed', 1900],
  ]);
  expect(await cases()).toEqual(
    expect.arrayContaining([
      { kind: 'dispute', run_id: done },
      { kind: 'refund-failed', run_id: reversed },
    ]),
  );
  const taken = (await cases()).filter(({ kind }) => /^(dispute|refund)/.test(kind));
  expect(taken).toHaveLength(2);
});

test('what is signed by somebody else is 400, comes again in vain, and changes nothing', async () => {
  const before = [await events(), await booked(), await cases()];
  await endpoint('whsec_somebody-else-s-secret');
  await turn({ copies: 1, order: 'made' });
  const customer = await at.byHand('POST', '/v1/customers', { email: 'a@example.com' });
  const made = (await at.byHand('POST', '/v1/subscriptions', {
    customer: (customer as { id: string }).id,
    'items[0][price]': 'price_starter_monthly',
  })) as { id: string };
  expect((await sent('customer.subscription.created', 1, made.id))[0]).toBe(400);
  await at.control.clock(at.world, 10_000);
  expect(await sent('customer.subscription.created', 2, made.id)).toEqual([400, 400]);
  await handleWakeups(at.parts, moneyBackReaders);
  expect([await events(), await booked(), await cases()]).toEqual(before);
  const refused = await at.db
    .selectFrom('refusals')
    .select('reason')
    .where('asked', '=', 'webhook')
    .execute();
  expect(new Set(refused.map(({ reason }) => reason))).toEqual(new Set(['webhook-signature']));
});

import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { moneyBackReaders } from '../../activities/stripe/money-back.js';
import type { RunId } from '../../domain/ids.js';
import { handleWakeups, readMoneyBack } from '../../gateway/money-back.js';
import { addWebhookEvent } from '../../store/webhook-events.js';
import { without } from '../door/without.js';
import { openSandbox, takenBack, upTo } from './at-sandbox.js';
import type { AtSandbox, Sandboxed } from './at-sandbox.js';
import { admitted, approved } from './house.js';

/** Disputes, refunds that fail later and renewals that nobody pays: the real readers, at the real sandbox. */
let sandbox: Sandboxed;
let at: AtSandbox;
beforeAll(async () => {
  sandbox = await openSandbox();
});
afterAll(() => sandbox.close());
afterEach(() => at.close());

const DAY_MS = 86_400_000;

/** A run that has charged a subscription for the first month: 19.00 USD. */
async function charged(): Promise<RunId> {
  const runId = await admitted(at, 'launch');
  await approved(at, runId, 'plan');
  await upTo(at, runId, 'start-subscription');
  return runId;
}

async function unwound(runId: RunId): Promise<void> {
  await at.gateway.stopRun(runId, 'p_ada', 'enough', 'unwind');
  const { steps } = await at.gateway.closeDoor(runId, { kind: 'stopped' });
  for (const step of steps) await takenBack(at, runId, step);
  await at.gateway.finish(runId, 'enough');
}

interface StripeTruth {
  readonly refunds: readonly { readonly id: string }[];
  readonly invoices: readonly { readonly id: string; readonly status: string }[];
  readonly customers: readonly { readonly id: string }[];
}
const atStripe = async (): Promise<StripeTruth> =>
  (await at.control.truth(at.world)).stripe as unknown as StripeTruth;

async function disputed(): Promise<string> {
  const [charge] = (await at.control.truth(at.world)).charges;
  const dispute = (await at.control.people(at.world, {
    do: 'dispute',
    charge: charge?.object ?? '',
  })) as { id: string };
  return dispute.id;
}

const called = (type: string, object: string, id = 'evt_1'): Promise<boolean> =>
  addWebhookEvent(at.db, { event_id: id, provider: 'stripe', type, object_id: object });

const woken = () => handleWakeups(at.parts, moneyBackReaders);
const read = () => readMoneyBack(at.parts, moneyBackReaders);

const cases = () =>
  at.db
    .selectFrom('cases')
    .select(['kind', 'run_id', 'text', 'proposal'])
    .orderBy('case_id')
    .execute();

type Kind = 'dispute' | 'dispute-fee' | 'refund-failed';
const postings = async (kinds: readonly Kind[]): Promise<unknown[]> =>
  (
    await at.db
      .selectFrom('postings')
      .select(['kind', 'amount_minor'])
      .where('kind', 'in', [...kinds])
      .orderBy('id')
      .execute()
  ).map(({ kind, amount_minor: minor }) => [kind, minor]);

const captured = async (): Promise<number> =>
  (
    await at.db
      .selectFrom('balances')
      .select('captured_minor')
      .where('scope', '=', 'organisation')
      .executeTakeFirstOrThrow()
  ).captured_minor;

const DISPUTES = ['dispute', 'dispute-fee'] as const;

test('a dispute that is called out is read, booked once with its fee, and a case of its run', async () => {
  at = await sandbox.open('dispute');
  const runId = await charged();
  const id = await disputed();
  await called('charge.dispute.created', id);
  expect(await woken()).toEqual({ news: 1, unread: 0 });
  // Called again, later and out of order: nothing is new.
  await called('charge.dispute.updated', id, 'evt_0');
  expect(await woken()).toEqual({ news: 0, unread: 0 });
  expect(await read()).toEqual({ news: 0, unread: 0 });
  expect(await postings(DISPUTES)).toEqual([
    ['dispute', 1900],
    ['dispute-fee', 1500],
  ]);
  expect(await captured()).toBe(1900 + 1500);
  expect(await cases()).toMatchObject([
    { kind: 'dispute', run_id: runId, text: expect.stringContaining(id) as unknown },
  ]);
  expect((await at.gateway.report(runId)).cases).toHaveLength(1);
  const open = await at.db.selectFrom('webhook_events').select('handled_at').execute();
  expect(open.every(({ handled_at: handled }) => handled !== null)).toBe(true);
});

test('without any call the hourly reading finds the same dispute', async () => {
  at = await sandbox.open('silent');
  await charged();
  await disputed();
  expect(await read()).toEqual({ news: 1, unread: 0 });
  expect(await postings(DISPUTES)).toEqual([
    ['dispute', 1900],
    ['dispute-fee', 1500],
  ]);
});

test('without the difference a dispute that is read twice is booked twice', async () => {
  at = await sandbox.open('twice');
  await charged();
  await disputed();
  await without(at.db, ['dispute-once'], async () => {
    await read();
    await read();
  });
  expect(await postings(DISPUTES)).toHaveLength(4);
});

test('a refund that fails after it was booked takes its room back, corrects the residue and calls a person', async () => {
  at = await sandbox.open('refund');
  const runId = await charged();
  await unwound(runId);
  expect(await captured()).toBe(0);
  const [refund] = (await atStripe()).refunds;
  const id = refund?.id ?? '';
  await at.control.people(at.world, { do: 'settle-refund', refund: id, status: 'failed' });
  await called('refund.failed', id);
  expect(await woken()).toEqual({ news: 1, unread: 0 });
  await called('charge.refund.updated', id, 'evt_2');
  expect((await woken()).news + (await read()).news).toBe(0);
  expect(await captured()).toBe(1900);
  expect(await postings(['refund-failed'])).toEqual([['refund-failed', 1900]]);
  const state = await at.gateway.report(runId);
  expect(state.spentMinor).toBe(1900);
  expect(state.residue).toContainEqual({
    step: 'start-subscription',
    minor: 1900,
    text: expect.stringContaining(`the refund ${id} of 19.00 USD failed at the bank`) as unknown,
  });
  expect((await cases()).filter(({ kind }) => kind === 'refund-failed')).toMatchObject([
    { run_id: runId, text: expect.stringContaining(id) as unknown },
  ]);
});

test('without it the room that a failed refund had given stays given', async () => {
  at = await sandbox.open('room');
  await unwound(await charged());
  const [refund] = (await atStripe()).refunds;
  await at.control.people(at.world, {
    do: 'settle-refund',
    refund: refund?.id ?? '',
    status: 'failed',
  });
  await without(at.db, ['refund-room-back'], async () => {
    await read();
  });
  expect(await captured()).toBe(0);
});

test('a refund that has not failed, whatever is called out of it, changes nothing', async () => {
  at = await sandbox.open('lie');
  const runId = await charged();
  await unwound(runId);
  const [refund] = (await atStripe()).refunds;
  await called('refund.failed', refund?.id ?? '');
  await called('refund.failed', 're_of_nobody', 'evt_9');
  expect(await woken()).toEqual({ news: 0, unread: 0 });
  expect(await captured()).toBe(0);
  expect((await at.gateway.report(runId)).spentMinor).toBe(0);
});

test('a renewal that nobody pays is a case of its run', async () => {
  at = await sandbox.open('unpaid');
  const runId = await charged();
  const { customers } = await atStripe();
  await at.control.people(at.world, {
    do: 'remove-payment-method',
    customer: customers[0]?.id ?? '',
  });
  await at.control.people(at.world, { do: 'standing-payment-method', card: null });
  await at.wait(32 * DAY_MS);
  const unpaid = (await atStripe()).invoices.find(({ status }) => status === 'open');
  await called('invoice.payment_failed', unpaid?.id ?? '');
  expect(await woken()).toEqual({ news: 1, unread: 0 });
  expect(await cases()).toMatchObject([{ kind: 'payment-failed', run_id: runId }]);
});

test('what cannot be read is handled later', async () => {
  at = await sandbox.open('away');
  await charged();
  await called('charge.dispute.created', await disputed());
  await at.control.faults(at.world, [
    { provider: 'stripe', method: 'GET', path: '/v1/disputes/*', nth: 1, times: 1, fault: '429' },
  ]);
  expect(await woken()).toEqual({ news: 0, unread: 1 });
  expect(await postings(DISPUTES)).toEqual([]);
  expect(await woken()).toEqual({ news: 1, unread: 0 });
});

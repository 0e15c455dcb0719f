import { Failure } from '../domain/errors.js';
import { capOfScope } from '../domain/policy/scope-caps.js';
import { compareAccounts, compareCloudflare } from '../domain/reconcile/cloudflare.js';
import type {
  Compared,
  Finding,
  OurEffect,
  OurRecords,
  Outside,
} from '../domain/reconcile/records.js';
import { compareStripe } from '../domain/reconcile/stripe.js';
import { databaseNow } from '../store/clock.js';
import { budgetsOfRuns } from '../store/overview.js';
import {
  accountsOnRecord,
  areaRead,
  areasByAge,
  areaUnread,
  beginPass,
  captureRenewal,
  commitmentSeenEnded,
  effectsOnRecord,
  endPass,
  findingsGone,
  findingSeen,
  monthBegins,
  scopesThatRenew,
  tokensOnRecord,
  type EffectOnRecord,
} from '../store/reconcile-rows.js';
import { budgetOf, type Budget, type InventoryReaders } from './inventory.js';
import type { Classified, Clients } from './operation.js';
import type { Parts } from './parts.js';
import { policyInForce } from './policy.js';
import { reading } from './reading.js';

/** Between two passes, in ms of the control database's clock. */
export const RECONCILE_EVERY_MS = 3_600_000;
/** Requests of one pass; Cloudflare allows 1,200 in five minutes, to us and everybody else of the account. */
const REQUESTS = { stripe: 1_000, cloudflare: 600 } as const;
/** Older objects are not listed again: refunds and disputes end sooner. In s. */
const LOOK_BACK_S = 400 * 86_400;

export interface Reconciled {
  readonly found: readonly Finding[];
  readonly unmanaged: readonly Outside[];
  /** Cases opened and closed by this pass. */
  readonly opened: number;
  readonly resolved: number;
  /** Renewals booked, in this pass. */
  readonly renewals: number;
  /** Areas that could not be read whole, and why; nothing is concluded of them. */
  readonly unread: readonly { readonly area: string; readonly why: string }[];
  readonly requests: number;
}

/** The same once an hour, whoever asks: undefined while the last pass is younger. */
export async function reconcileWhenDue(
  parts: Parts,
  inventory: InventoryReaders,
): Promise<Reconciled | undefined> {
  const pass = await beginPass(parts.db, RECONCILE_EVERY_MS);
  return pass === undefined ? undefined : passed(parts, inventory, pass);
}

/**
 * Compares everything that exists at the providers, paid or not, with what is on record. Only reads there: what it finds
 * becomes a case with a proposed way out, and what is nobody's here is listed.
 */
export async function reconcile(parts: Parts, inventory: InventoryReaders): Promise<Reconciled> {
  const pass = await beginPass(parts.db, 0);
  return passed(parts, inventory, pass);
}

async function passed(
  parts: Parts,
  inventory: InventoryReaders,
  passId: number | undefined,
): Promise<Reconciled> {
  await openMonth(parts);
  const pass = newPass(parts, inventory);
  await atStripe(pass);
  await atCloudflare(pass);
  const { budgets, found, opened, renewals, resolved, unmanaged, unread } = pass;
  const requests = budgets.stripe.used + budgets.cloudflare.used;
  const outcome = { found, unmanaged, unread, opened, resolved, renewals, requests };
  if (passId !== undefined)
    await endPass(parts.db, passId, {
      ...outcome,
      found: found.length,
      unmanaged: unmanaged.length,
    });
  return outcome;
}

/** Renewals are reserved and judged by today's caps, whether or not anything else is reserved this month. */
async function openMonth(parts: Parts): Promise<void> {
  const { policy } = await policyInForce(parts.db, parts);
  const capOf = capOfScope(policy, await budgetsOfRuns(parts.db));
  const caps = (await scopesThatRenew(parts.db)).flatMap((scope) => {
    const capMinor = capOf(scope);
    return capMinor === undefined ? [] : [{ scope, capMinor }];
  });
  await monthBegins(parts.db, caps, policy.currency);
}

/** One pass: whom it asks, what it may ask, and what it has found so far. */
interface Pass {
  readonly parts: Parts;
  readonly inventory: InventoryReaders;
  readonly clients: Clients;
  readonly budgets: { readonly stripe: Budget; readonly cloudflare: Budget };
  readonly found: Finding[];
  readonly unmanaged: Outside[];
  readonly unread: Reconciled['unread'][number][];
  opened: number;
  resolved: number;
  renewals: number;
}

const newPass = (parts: Parts, inventory: InventoryReaders): Pass => ({
  parts,
  inventory,
  clients: parts.providers.forReading('reads'),
  budgets: { stripe: budgetOf(REQUESTS.stripe), cloudflare: budgetOf(REQUESTS.cloudflare) },
  found: [],
  unmanaged: [],
  unread: [],
  opened: 0,
  resolved: 0,
  renewals: 0,
});

/** Reads one area, compares it, and keeps what was found. Nothing is concluded of one that cannot be read whole. */
async function area<T>(
  pass: Pass,
  name: string,
  read: () => Promise<T>,
  compare: (records: OurRecords, world: T) => Compared,
): Promise<T | undefined> {
  const { parts } = pass;
  const provider = name.startsWith('stripe') ? 'stripe' : 'cloudflare';
  const classify = (error: unknown): Classified => parts.readers[provider].classify(error);
  // Before and after: what moves while the lists are read is judged by the next pass.
  const before = await effectsOnRecord(parts.db);
  let world: T;
  try {
    world = await reading(provider, name, classify, read);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    pass.unread.push({ area: name, why: error.message });
    await leftUnread(pass, name, error.message);
    return undefined;
  }
  await keep(pass, name, compare(await recordsNow(parts, before), world));
  return world;
}

async function leftUnread(pass: Pass, name: string, why: string): Promise<void> {
  const { db } = pass.parts;
  if (!(await areaUnread(db, name, why))) return;
  const finding: Finding = {
    name: `reconcile-blind/${name}`,
    kind: 'reconcile-blind',
    object: name,
    text: `${name} was not read whole for a day: ${why}`,
  };
  if (await findingSeen(db, `blind/${name}`, finding)) pass.opened += 1;
}

async function keep(pass: Pass, name: string, compared: Compared): Promise<void> {
  const { db } = pass.parts;
  for (const renewed of compared.renewed) if (await captureRenewal(db, renewed)) pass.renewals += 1;
  for (const effectId of compared.ended) await commitmentSeenEnded(db, effectId);
  for (const finding of compared.findings)
    if (await findingSeen(db, name, finding)) pass.opened += 1;
  const names = compared.findings.map((finding) => finding.name);
  pass.resolved += await findingsGone(db, name, names);
  pass.resolved += await findingsGone(db, `blind/${name}`, []);
  await areaRead(db, name, compared.unmanaged);
  pass.found.push(...compared.findings);
  pass.unmanaged.push(...compared.unmanaged);
}

async function atStripe(pass: Pass): Promise<void> {
  const { budgets, clients, inventory } = pass;
  const sinceS = Math.floor((await databaseNow(pass.parts.db)).getTime() / 1_000) - LOOK_BACK_S;
  const read = () => inventory.stripe(clients.stripe, budgets.stripe, sinceS);
  await area(pass, 'stripe', read, compareStripe);
}

/** The accounts first, then each, the one that waits longest first. */
async function atCloudflare(pass: Pass): Promise<void> {
  const { budgets, clients } = pass;
  const { cloudflare } = pass.inventory;
  const accounts = await area(
    pass,
    'cloudflare/accounts',
    () => cloudflare.accounts(clients.cloudflare, budgets.cloudflare),
    compareAccounts,
  );
  const ages = await areasByAge(pass.parts.db);
  const nameOf = (id: string): string => `cloudflare/${id}`;
  const byAge = (accounts ?? [])
    .map(({ id }) => id)
    .sort((a, b) => (ages.get(nameOf(a)) ?? 0) - (ages.get(nameOf(b)) ?? 0));
  for (const id of byAge)
    await area(
      pass,
      nameOf(id),
      () => cloudflare.account(clients.cloudflare, id, budgets.cloudflare),
      compareCloudflare,
    );
}

/** What is on record, with everything that moved since `before` marked as moving. */
async function recordsNow(parts: Parts, before: readonly EffectOnRecord[]): Promise<OurRecords> {
  const then = new Map(before.map((row) => [row.effectId, row] as const));
  const now = await effectsOnRecord(parts.db);
  const accountOf = new Map(
    now
      .filter(({ step }) => step === 'link-account')
      .map(({ object, runId }) => [runId, object ?? undefined] as const),
  );
  return {
    instance: parts.instance,
    effects: now.map((row) => ourEffect(row, then.get(row.effectId), accountOf.get(row.runId))),
    accounts: await accountsOnRecord(parts.db),
    tokens: await tokensOnRecord(parts.db),
    nowMs: (await databaseNow(parts.db)).getTime(),
  };
}

function ourEffect(
  row: EffectOnRecord,
  before: EffectOnRecord | undefined,
  linked: string | undefined,
): OurEffect {
  const { action } = row;
  const still =
    before?.quiet === true && before.state === row.state && before.object === row.object;
  const states = { succeeded: 'stands', failed: 'over', closed: 'over' } as const;
  const state =
    still && (row.state === 'succeeded' || row.state === 'failed' || row.state === 'closed')
      ? states[row.state]
      : 'moving';
  const account = typeof action?.account === 'string' ? action.account : linked;
  const zone = action?.params['zone'];
  return {
    effectId: row.effectId,
    runId: row.runId,
    step: row.step,
    operation: action?.operation ?? '',
    state,
    ...(row.outcome === null ? {} : { outcome: row.outcome }),
    ...(row.object === null ? {} : { object: row.object }),
    fields: { ...(typeof zone === 'string' ? { zoneId: zone } : {}), ...row.fields },
    ...(account === undefined ? {} : { account }),
    params: action?.params ?? {},
    capturedMinor: row.capturedMinor,
    refundedMinor: row.refundedMinor,
    currency: action?.currency ?? '',
    ...(row.renewalMinor === null ? {} : { renewalMinor: row.renewalMinor }),
    ...(row.paused === null ? {} : { paused: row.paused }),
  };
}

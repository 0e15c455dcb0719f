import { randomBytes } from 'node:crypto';
import { manifestDigestOf, manifestOf } from '../../domain/bundle.js';
import { canonicalize, digestOfBytes, sha256Hex } from '../../domain/canonical.js';
import type { DecideMessage } from '../../domain/documents.js';
import type { Instance, RunId } from '../../domain/ids.js';
import type { OpenGate } from '../../domain/plan.js';
import type { Policy } from '../../domain/policy/schema.js';
import { policyDigestOf } from '../../domain/policy/schema.js';
import { canonicalRequest, parseRequest, requestDigestOf } from '../../domain/request.js';
import { signStatement } from '../../domain/signature.js';
import { EFFECT_STEPS } from '../../domain/steps.js';
import type { EffectStep } from '../../domain/steps.js';
import type { Gateway, Performed, Reversed, Sender } from '../../gateway/contract.js';
import { createGateway, createParts } from '../../gateway/create-gateway.js';
import { createDoor } from '../../gateway/door.js';
import type { EgressAnswer } from '../../gateway/egress.js';
import type { Parts } from '../../gateway/parts.js';
import type { CustomerSeen, DomainSeen, QuoteReaders } from '../../gateway/readers.js';
import { storeBundle } from '../../store/bundle-writes.js';
import { advanceClock, databaseNow } from '../../store/clock.js';
import { connect } from '../../store/connect.js';
import type { Database } from '../../store/connect.js';
import { activatePolicy } from '../../store/policies.js';
import { freshDatabase, letIn } from '../helpers/database.js';
import type { FreshDatabase } from '../helpers/database.js';
import { trialPolicy } from '../helpers/trial-policy.js';
import { enrolled } from './people.js';
import type { Signer } from './people.js';
import { classify, stubOperations } from './stub-operations.js';
import type { StubWorld } from './stub-operations.js';
import { startStub } from './stub-provider.js';
import type { StubProvider } from './stub-provider.js';

/** What is to be read at the providers; a test changes it as the world would change. */
export interface Outside {
  domain: DomainSeen;
  priceMinor: number;
  paymentMethod: boolean;
  billing: boolean;
  customers: CustomerSeen[];
  site: EgressAnswer;
}

export interface House {
  readonly db: Database;
  readonly url: string;
  readonly parts: Parts;
  readonly gateway: Gateway;
  readonly stub: StubProvider;
  readonly world: StubWorld;
  readonly outside: Outside;
  readonly instance: Instance;
  readonly ada: Signer;
  readonly bob: Signer;
  readonly owner: Signer;
  readonly service: { readonly seed: Uint8Array; readonly keyId: string };
  readonly bundle: string;
  advance(ms: number): Promise<void>;
  close(): Promise<void>;
}

/** What the helpers below need: also a house at the real sandbox has it. */
export type Home = Omit<House, 'stub' | 'world' | 'outside'>;

/** The start page of the house's site. */
const PAGE = Buffer.from('hello');
export const SETTLING_MS = 1_000;
export const HTTP_TIMEOUT_MS = 1_000;

/** A gateway on a database of its own, with people, a service key, the built-in policy and a scripted provider. */
export async function openHouse(
  policy: Policy = trialPolicy(),
  database: () => Promise<FreshDatabase> = freshDatabase,
): Promise<House> {
  const fresh = await database();
  const instance = (await letIn(fresh)) as Instance;
  const db = connect(fresh.url, { max: 6 });
  const ours = connect(fresh.applicationUrl, { max: 6 });
  const stub = await startStub();
  const world: StubWorld = { checks: new Map(), usedByOthers: new Set(), stubborn: new Set() };
  const outside: Outside = {
    domain: { registrable: true, registrationMinor: 1120, renewalMinor: 1120, currency: 'USD' },
    priceMinor: 1900,
    paymentMethod: true,
    billing: true,
    customers: [],
    site: { status: 200, digest: digestOfBytes(PAGE), bytes: PAGE.length },
  };
  const credentials = {
    stripe: { apiKey: `sk_test_main_actions_${'0'.repeat(32)}`, origin: stub.origin },
    cloudflare: { apiToken: `cf_main_actions_${'0'.repeat(32)}`, origin: stub.origin },
  };
  const parts = createParts({
    db: ours,
    door: createDoor(ours),
    instance,
    operations: stubOperations(world),
    readers: readersOf(outside),
    providers: 'sandbox',
    credentials: {
      actions: credentials,
      compensations: credentials,
      reads: credentials,
      accounts: credentials.cloudflare,
    },
    settling: { stripe: SETTLING_MS, cloudflare: SETTLING_MS },
    egress: () => Promise.resolve(outside.site),
    httpTimeouts: { stripe: HTTP_TIMEOUT_MS, cloudflare: HTTP_TIMEOUT_MS },
  });
  const { ada, bob, owner, service } = await enrolled(db);
  await activatePolicy(db, {
    digest: policyDigestOf(policy),
    document: canonicalize(policy),
    activatedBy: 'test',
  });
  const files = [
    { path: 'worker.mjs', bytes: Buffer.from('export default {}') },
    { path: 'public/index.html', bytes: PAGE },
  ];
  const bundle = manifestDigestOf(
    manifestOf(
      files.map(({ path, bytes }) => ({ path, size: bytes.length, sha256: sha256Hex(bytes) })),
    ),
  );
  await storeBundle(db, { digest: bundle, files });
  return {
    db,
    url: fresh.url,
    parts,
    gateway: createGateway(parts),
    stub,
    world,
    outside,
    instance,
    ada,
    bob,
    owner,
    service,
    bundle,
    advance: (ms) => advanceClock(db, ms),
    close: async () => {
      await stub.close();
      await ours.destroy();
      await db.destroy();
      await fresh.drop();
    },
  };
}

function readersOf(outside: Outside): QuoteReaders {
  const answer = <T>(value: T): Promise<T> => Promise.resolve(value);
  return {
    stripe: {
      customer: (_client, customerId) =>
        answer({ customerId, email: 'owner@example.com', marker: undefined }),
      customersByEmail: () => answer(outside.customers),
      price: (_client, priceId) =>
        answer({
          priceId,
          active: true,
          amountMinor: outside.priceMinor,
          currency: 'USD',
          interval: 'month' as const,
        }),
      subscriptions: () => answer([]),
      hasPaymentMethod: () => answer(outside.paymentMethod),
      classify,
    },
    cloudflare: {
      homeAccount: () => answer('0'.repeat(32)),
      account: (_client, accountId) => answer({ accountId, name: 'a', acceptedMembers: [] }),
      hasBilling: () => answer(outside.billing),
      domain: () => answer(outside.domain),
      registration: () => answer(undefined),
      zoneId: () => answer(undefined),
      records: () => answer([]),
      liveScript: () => answer(undefined),
      customDomain: () => answer(undefined),
      classify,
    },
  };
}

export const requestOf = (house: Home, change: Record<string, unknown> = {}) =>
  parseRequest({
    goal: 'Put superseal.club online',
    principal: 'owner@example.com',
    agent: 'launch-agent',
    environment: 'development',
    subscription: { plan: 'starter' },
    domain: { name: 'superseal.club', years: 1 },
    bundle: house.bundle,
    budget: '60.00 USD',
    ...change,
  });

/** An admission claim as a service with this key would sign it. */
export function claimOf(
  house: Home,
  runId: string,
  change: Record<string, unknown> = {},
  by: { statement?: Record<string, unknown>; seed?: Uint8Array } = {},
) {
  const request = requestOf(house, change);
  const statement = {
    type: 'countersign.admission.v1',
    instance: house.instance,
    runId,
    requestDigest: requestDigestOf(request),
    service: 's_local',
    keyId: house.service.keyId,
    at: '2026-11-21T00:00:00.000Z',
    ...by.statement,
  };
  return {
    runId,
    request: canonicalRequest(request),
    statement: canonicalize(statement),
    signature: signStatement(statement, by.seed ?? house.service.seed).value,
  };
}

/** Admits and plans a run. */
export async function admitted(
  house: Home,
  runId = 'launch',
  change: Record<string, unknown> = {},
): Promise<RunId> {
  const run = await house.gateway.admit(claimOf(house, runId, change));
  await house.gateway.plan(run.runId);
  return run.runId;
}

/** A signed decision over an open gate. */
export async function decisionOf(
  house: Home,
  gate: OpenGate,
  by: Signer,
  change: Record<string, unknown> = {},
): Promise<DecideMessage> {
  const statement = {
    type: 'countersign.decision.v1',
    instance: house.instance,
    gateId: gate.gateId,
    actionDigest: gate.digest,
    decision: 'approve',
    approver: by.person,
    keyId: by.keyId,
    surface: 'cli',
    decidedAt: (await databaseNow(house.db)).toISOString(),
    ...change,
  };
  return { ...statement, signature: signStatement(statement, by.seed) } as DecideMessage;
}

export async function opened(house: Home, runId: RunId, gate: string): Promise<OpenGate> {
  const answer = await house.gateway.openGate(runId, gate);
  if (answer.gateId === undefined) throw new Error(`the gate ${gate} was not needed`);
  return answer;
}

/** Opens a gate and has Ada approve it. */
export async function approved(
  house: Home,
  runId: RunId,
  gate: string,
  by = house.ada,
): Promise<OpenGate> {
  const open = await opened(house, runId, gate);
  const verdict = await house.gateway.recordDecision(
    runId,
    await decisionOf(house, open, by),
    'signal',
  );
  if (!verdict.accepted) throw new Error(`not accepted: ${verdict.reason}`);
  return open;
}

export const sender = (
  failpoint?: (name: string) => void,
  signal: AbortSignal = new AbortController().signal,
): Sender => ({
  token: randomBytes(8).toString('hex'),
  attempt: 1,
  signal,
  ...(failpoint === undefined ? {} : { failpoint }),
});

export const perform = (house: Home, runId: RunId, step: EffectStep): Promise<Performed> =>
  house.gateway.perform(runId, step, sender());

/** Performs every step up to and with this one, gates included. */
export async function performedUpTo(house: Home, runId: RunId, last: EffectStep): Promise<void> {
  for (const step of EFFECT_STEPS) {
    if (step === 'configure-dns') continue;
    if (step === 'register-domain') await approved(house, runId, 'register-domain');
    await perform(house, runId, step);
    if (step === last) return;
  }
}

/** Unwinds one step to its end, moving the clock over every wait. */
export async function reversed(house: Home, runId: RunId, step: EffectStep): Promise<Reversed> {
  for (let round = 0; round < 12; round += 1) {
    const answer = await house.gateway.reverse(runId, step, sender());
    if (answer.done) return answer;
    await house.advance(answer.waitMs + 1);
  }
  throw new Error(`${step} was not reversed in 12 rounds`);
}

/** The reasons of all refusals on record, oldest first. */
export async function refusals(house: Home): Promise<string[]> {
  const rows = await house.db
    .selectFrom('refusals')
    .select(['asked', 'reason'])
    .orderBy('id')
    .execute();
  return rows.map(({ asked, reason }) => `${asked}: ${reason}`);
}

/** Things that live at the provider, by the step that made them. */
export const living = (house: House): string[] =>
  house.stub.things.filter(({ alive }) => alive).map(({ params }) => String(params['step']));

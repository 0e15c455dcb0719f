import { createHash } from 'node:crypto';
import type { Hono } from 'hono';
import { pino } from 'pino';
import { canonicalize, sha256Hex, utf8 } from '../../domain/canonical.js';
import { Failure } from '../../domain/errors.js';
import type { RunId } from '../../domain/ids.js';
import { EFFECT_STEPS, type EffectStep } from '../../domain/steps.js';
import type { Gateway } from '../../gateway/contract.js';
import { createGateway } from '../../gateway/create-gateway.js';
import { liftStop } from '../../gateway/lift-fence.js';
import { orderRepair } from '../../gateway/order-repair.js';
import type { Parts } from '../../gateway/parts.js';
import { createDoor } from '../../gateway/door.js';
import { createApp } from '../../server/app.js';
import type { ServerParts } from '../../server/parts.js';
import { linkAccountTo } from '../../store/accounts.js';
import { databaseNow } from '../../store/clock.js';
import { trialPolicy } from '../helpers/trial-policy.js';
import { admitted, openHouse, opened, sender, type House } from '../gateway/house.js';
import { askedBy, plant, signedBy, type Cast, type Member } from './cast.js';
import { statementOf, type GateSeen, type Place } from './defects.js';
import type { DirectRoad, OrderRoad } from './roads-of.js';

/** What whoever tried was told: a reason, a code, or what it answered. */
export type Told = string;

/** Brings a run of this name to where its plan stands. */
export type Admit = (name: string, change: Record<string, unknown>) => Promise<RunId>;

/** One gateway on one database, with a run in every state that the table needs. */
export interface TableHouse {
  readonly house: House;
  readonly parts: Parts;
  readonly gateway: Gateway;
  readonly cast: Cast;
  readonly places: Readonly<Record<Place, GateSeen>>;
  /** Two have approved, and nothing was done. */
  readonly grantedGate: GateSeen;
  readonly stoppedGate: GateSeen;
  /** Its door was closed before anything was done. */
  readonly closedGate: GateSeen;
  readonly completedGate: GateSeen;
  /** It has paid, and is being taken back; no step of it is marked. */
  readonly unwindingGate: GateSeen;
  /** The same, with its payment marked. */
  readonly markedGate: GateSeen;
  /** Runs that the set-up itself has let act, and how many things they made. */
  readonly acted: ReadonlySet<string>;
  made(): number;
  /** A new run whose gate asks two persons, one of whom has approved. */
  half(admit?: Admit): Promise<GateSeen>;
  /** The same, where a third has approved and withdrawn. */
  open(admit?: Admit): Promise<GateSeen>;
  /** The same with both. */
  granted(admit?: Admit): Promise<GateSeen>;
  /** A granted run that has done every step up to this one. */
  performed(last: EffectStep, admit?: Admit): Promise<GateSeen>;
  /** A run that has done everything, and is verified and completed. */
  completed(): Promise<GateSeen>;
  decide(road: DirectRoad, gate: GateSeen, message: object): Promise<Told>;
  order(road: OrderRoad, runId: string, message: object): Promise<Told>;
  approve(gate: GateSeen, by: Member, change?: Record<string, unknown>): Promise<void>;
  close(): Promise<void>;
}

const ROOMY = { openRunsPerAgent: 500, runsPerHour: 500, operationsPerRun: 100 };
const CAP = '90000.00 USD';
const POLICY = trialPolicy({
  override: {
    approvals: ['approve' as const, 'sign-off' as const].map((tier) => ({
      tier,
      allOf: [{ group: 'approvers', count: 2 }],
    })),
    caps: {
      organisation: CAP,
      principal: CAP,
      agent: CAP,
      provider: CAP,
      principalProvider: CAP,
      run: CAP,
    },
    counts: ROOMY,
    excludePrincipal: true,
  },
});
const DAY_MS = 86_400_000;
const ISSUER = 'https://issuer.test';
const ORIGIN = 'http://localhost:4000';

export async function openTableHouse(): Promise<TableHouse> {
  const house = await openHouse(POLICY);
  const relyingParty = { rpId: 'localhost', origins: [ORIGIN] };
  const parts: Parts = { ...house.parts, trust: { rootKeys: [], relyingParty } };
  const gateway = createGateway(parts);
  const cast = await plant(house.db, { owner: 'p_owner', agent: 'launch-agent' });
  let runs = 0;
  let words = 0;
  const approve: TableHouse['approve'] = async (gate, by, change = {}) => {
    const now = await databaseNow(house.db);
    const scene = { cast, gate, other: gate, instance: house.instance, now };
    const cell = `set up ${(words += 1)}`;
    const message = signedBy(by.key, statementOf({ ...scene, cell }, change, by));
    const verdict = await gateway.recordDecision(gate.runId as RunId, message, 'signal');
    if (!verdict.accepted) throw new Error(verdict.reason);
  };
  const fresh = async (
    admit: Admit = (name, change) => admitted(house, name, change),
  ): Promise<GateSeen> => {
    // Each run is somebody's first: what an earlier one has made for them is not taken over.
    await house.db.deleteFrom('principal_accounts').execute();
    const name = `table-${(runs += 1)}`;
    const domain = { name: `lantern-${runs}-harbour.club`, years: 1 };
    const goal = `Put ${domain.name} online`;
    const runId = await admit(name, { environment: 'production', domain, goal });
    const { digest, gateId } = await opened(house, runId, 'plan');
    await askedBy(house.db, runId, 'p_self');
    const { document } = await house.db
      .selectFrom('gates')
      .select('document')
      .where('gate_id', '=', gateId)
      .executeTakeFirstOrThrow();
    return { runId, gateId, digest, document };
  };
  const half = async (admit?: Admit): Promise<GateSeen> => {
    const gate = await fresh(admit);
    await approve(gate, cast.gus);
    return gate;
  };
  const open = async (admit?: Admit): Promise<GateSeen> => {
    const gate = await fresh(admit);
    await approve(gate, cast.hal);
    await approve(gate, cast.hal, { decision: 'withdraw' });
    await approve(gate, cast.gus);
    return gate;
  };
  const granted = async (admit?: Admit): Promise<GateSeen> => {
    const gate = await half(admit);
    await approve(gate, cast.fay);
    return gate;
  };
  const performed: TableHouse['performed'] = async (last, admit) => {
    const gate = await granted(admit);
    await act({ gateway, approve, by: [cast.gus, cast.fay] }, gate, last);
    return gate;
  };
  const completed = async (): Promise<GateSeen> => {
    const gate = await performed('attach-domain');
    await gateway.verify(gate.runId as RunId);
    await gateway.complete(gate.runId as RunId);
    return gate;
  };
  const places = await placesOf({ house, gateway, cast, open, half, approve });
  const states = await statesOf({ gateway, parts, granted, performed, completed });
  const things = house.stub.things.length;
  const app = appOf(parts);
  await signUp(house, cast);
  return {
    ...{ house, parts, gateway, cast, places, half, open, granted, performed, completed },
    ...{ approve, ...states },
    made: () => things,
    decide: (road, gate, message) => decideOn({ parts, gateway, app, house }, road, gate, message),
    order: (road, runId, message) => orderOn({ parts, gateway }, road, runId as RunId, message),
    close: () => house.close(),
  };
}

async function placesOf(of: {
  readonly house: House;
  readonly gateway: Gateway;
  readonly cast: Cast;
  readonly open: () => Promise<GateSeen>;
  readonly half: () => Promise<GateSeen>;
  readonly approve: TableHouse['approve'];
}): Promise<TableHouse['places']> {
  const { approve, cast, gateway, half, house } = of;
  const expired = await half();
  await house.advance(DAY_MS + 60_000);
  await gateway.gateStatus(expired.runId as RunId, expired.gateId as never);
  const gone = await half();
  await house.db
    .updateTable('gates')
    .set({ state: 'void' })
    .where('gate_id', '=', gone.gateId)
    .execute();
  const rejected = await half();
  await approve(rejected, cast.fay, { decision: 'reject' });
  return { open: await of.open(), other: await half(), rejected, expired, void: gone };
}

interface Acting extends Pick<TableHouse, 'gateway' | 'approve'> {
  /** Who approves the purchase. */
  readonly by: readonly Member[];
}

/** Does every step of a granted run up to this one. */
async function act(
  { approve, by, gateway }: Acting,
  gate: GateSeen,
  last: EffectStep,
): Promise<void> {
  const runId = gate.runId as RunId;
  for (const step of EFFECT_STEPS) {
    if (step === 'configure-dns') continue;
    if (step === 'register-domain') {
      const next = await gateway.openGate(runId, step);
      if (next.gateId === undefined) throw new Error('the purchase asks nobody');
      const domain = { ...gate, gateId: next.gateId, digest: next.digest };
      for (const member of by) await approve(domain, member);
    }
    await gateway.perform(runId, step, sender());
    if (step === last) return;
  }
}

type States = 'grantedGate' | 'stoppedGate' | 'closedGate' | 'completedGate';

/** Runs that have gone some way, with good decisions. */
async function statesOf({
  completed,
  gateway,
  granted,
  parts,
  performed,
}: Pick<TableHouse, 'gateway' | 'parts' | 'granted' | 'performed' | 'completed'>): Promise<
  Pick<TableHouse, States | 'unwindingGate' | 'markedGate' | 'acted'>
> {
  const id = (gate: GateSeen): RunId => gate.runId as RunId;
  const stop = (gate: GateSeen) => gateway.stopRun(id(gate), 'p_fay', 'set up', 'unwind');
  const unwinding = async (): Promise<GateSeen> => {
    const gate = await performed('start-subscription');
    await stop(gate);
    await gateway.closeDoor(id(gate), { kind: 'stopped' });
    return gate;
  };
  const completedGate = await completed();
  const stoppedGate = await granted();
  await stop(stoppedGate);
  const closedGate = await granted();
  await gateway.recordFailure(id(closedGate), 'create-customer', 'PROVIDER_REFUSED', 'set up');
  await gateway.closeDoor(id(closedGate), { kind: 'failure', step: 'create-customer' });
  const unwindingGate = await unwinding();
  const markedGate = await unwinding();
  await createDoor(parts.db).markClosing(id(markedGate), 'start-subscription');
  return {
    ...{ grantedGate: await granted(), stoppedGate, closedGate, completedGate },
    ...{ unwindingGate, markedGate },
    acted: new Set([completedGate, unwindingGate, markedGate].map(({ runId }) => runId)),
  };
}

/** Everybody of the cast can sign in, each as themselves. */
async function signUp({ db }: House, cast: Cast): Promise<void> {
  const isMember = (one: Cast[keyof Cast]): one is Member => 'person' in one;
  const persons = new Set(
    Object.values<Cast[keyof Cast]>({ ...cast })
      .filter(isMember)
      .map(({ person }) => person),
  );
  for (const person of persons)
    await db
      .transaction()
      .execute((tx) =>
        linkAccountTo(tx, { iss: ISSUER, sub: person, holder: { person }, linkedBy: 'test' }),
      );
}

function appOf(gateway: Parts): Hono {
  const silent = () => Promise.resolve();
  return createApp({
    gateway,
    temporal: {
      run: () => ({ decide: silent, stop: silent }),
    } as unknown as ServerParts['temporal'],
    // Tokens are test/server's; here everybody is who they say, and that gives them nothing.
    verify: (token) =>
      Promise.resolve({
        ...{ iss: ISSUER, sub: token, signedInMs: Date.now() },
        sessionId: createHash('sha256').update(token).digest('hex'),
      }),
    webhook: { secrets: ['whsec_none'], livemode: false },
    ...{ publicUrl: ORIGIN, audience: ORIGIN, issuers: [ISSUER], cliClientId: 'cli' },
    log: pino({ level: 'silent' }),
    nowMs: Date.now,
  });
}

interface Ways {
  readonly house: House;
  readonly parts: Parts;
  readonly gateway: Gateway;
  readonly app: Hono;
}

let posted = 0;

async function decideOn(
  ways: Ways,
  road: DirectRoad,
  gate: GateSeen,
  message: object,
): Promise<Told> {
  const { app, gateway } = ways;
  const runId = gate.runId as RunId;
  switch (road) {
    case 'gateway':
      return toldOf(await gateway.recordDecision(runId, message, 'signal'));
    // What `approve --print` writes, brought as the text that it is.
    case 'cli':
      return toldOf(await gateway.recordDecision(runId, canonicalize(message), 'cli'));
    case 'http': {
      const { approver } = message as { approver: string };
      const answer = await app.request(`${ORIGIN}/api/v1/runs/${runId}/decisions`, {
        method: 'POST',
        headers: {
          ...{ host: new URL(ORIGIN).host, 'content-type': 'application/json' },
          authorization: `Bearer ${approver}`,
          'idempotency-key': `cell-${(posted += 1)}`,
        },
        body: JSON.stringify(message),
      });
      if (answer.ok) return 'accepted';
      return ((await answer.json()) as { code: string }).code;
    }
    case 'sql':
      return forge(ways, gate, message);
  }
}

const toldOf = (verdict: { accepted: boolean; reason?: string }): Told =>
  verdict.accepted ? 'accepted' : (verdict.reason ?? '');

/**
 * With the rights of our processes and nothing else: an accepted row and a granted gate, as if the decision had counted.
 * Then the step is asked for, by a workflow that is none the wiser.
 */
async function forge(
  { gateway, parts, house }: Ways,
  gate: GateSeen,
  message: object,
): Promise<Told> {
  const text = canonicalize(message);
  const { approver, decision } = message as { approver: string; decision: string };
  await parts.db
    .insertInto('decisions')
    .values({
      ...{ digest: sha256Hex(utf8(text)), statement_digest: sha256Hex(utf8(`${text} alone`)) },
      ...{ gate_id: gate.gateId, run_id: gate.runId, person_id: approver, decision },
      ...{ key_id: (message as { keyId: string }).keyId, statement: text, signature: '' },
      ...{ accepted: true, reason: null, road: 'signal' as const, round: 1 },
      evidence: JSON.stringify([{ group: 'approvers', source: 'register', ageMs: 0 }]),
      recorded_at: await databaseNow(house.db),
    })
    .execute();
  await parts.db
    .updateTable('gates')
    .set({ state: 'granted' })
    .where('gate_id', '=', gate.gateId)
    .execute()
    .catch((error: unknown) => {
      if (!/cannot become/.test(String(error))) throw error;
    });
  return answerOf(() => gateway.perform(gate.runId as RunId, 'create-customer', sender()));
}

/** The reason of a failure, or its code; `answered` when there was none. */
export async function answerOf(call: () => Promise<unknown>): Promise<Told> {
  try {
    await call();
    return 'answered';
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return String(error.details['reason'] ?? error.code);
  }
}

async function orderOn(
  { gateway, parts }: Pick<Ways, 'gateway' | 'parts'>,
  road: OrderRoad,
  runId: RunId,
  message: object,
): Promise<Told> {
  switch (road) {
    case 'resolve':
      return toldOf(await gateway.resolve(runId, message));
    case 'resume':
      return toldOf(await gateway.resume(runId, message));
    case 'ordered-repair':
      return toldOf(await orderRepair(parts, message as never));
    case 'lift': {
      const answer = await liftStop(parts, message as never);
      return answer.lifted ? 'accepted' : answer.reason;
    }
  }
}

import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import {
  effectIdOf,
  gateIdOf,
  parseInstance,
  parseRunId,
  type Digest,
  type EffectId,
  type GateId,
  type Instance,
  type RunId,
} from '../../domain/ids.js';
import type { EffectStep, ProviderName } from '../../domain/steps.js';
import { connect, type Database } from '../../store/connect.js';
import { migrate } from '../../store/migrate.js';
import { activatePolicy } from '../../store/policies.js';
import { createDoor } from '../../gateway/door.js';
import type { AuthorizeAsk, Door } from '../../gateway/door-contract.js';
import { freshDatabase } from '../helpers/database.js';
import { plantKey } from '../helpers/register.js';

export const now = sql<Date>`countersign_now()`;
const inThirtyDays = sql<Date>`countersign_now() + interval '90 days'`;

export const sha = (text: string): Digest =>
  `sha256:${createHash('sha256').update(text).digest('hex')}` as Digest;

export interface Scratch {
  readonly url: string;
  readonly db: Database;
  readonly door: Door;
  readonly instance: Instance;
  close(): Promise<void>;
}

/** A migrated database with one person, one key and one policy, and the real door on it. */
export async function openScratch(): Promise<Scratch> {
  const fresh = await freshDatabase();
  const { id } = await migrate(fresh.url, { mode: 'embedded' });
  const db = connect(fresh.url, { max: 24 });
  await activatePolicy(db, { digest: sha('policy 1'), document: '{}', activatedBy: 'p_ada' });
  await db
    .insertInto('persons')
    .values({ person_id: 'p_ada', name: 'Ada', created_at: now })
    .execute();
  await db
    .insertInto('agents')
    .values({ agent_id: 'a_test', owner_person: 'p_ada', created_at: now })
    .execute();
  await plantKey(db, { person: 'p_ada', keyId: 'key-of-ada', publicKey: 'public' });
  return {
    url: fresh.url,
    db,
    door: createDoor(db),
    instance: parseInstance(id),
    close: async () => {
      await db.destroy();
      await fresh.drop();
    },
  };
}

export interface SeededStep {
  readonly step: EffectStep;
  readonly provider: ProviderName;
  readonly costMinor: number;
  /** What it goes on costing each month. */
  readonly renewalMinor?: number;
}

export interface SeededRun {
  readonly runId: RunId;
  readonly steps: readonly SeededStep[];
}

let count = 0;

/** An admitted run without a plan. */
export async function seedRun(
  { db }: Scratch,
  steps: readonly SeededStep[],
  name = 'run',
): Promise<SeededRun> {
  count += 1;
  const runId = parseRunId(`${name}-${process.pid}-${count}`);
  await db
    .insertInto('runs')
    .values({
      run_id: runId,
      request: '{}',
      request_digest: sha(runId),
      requester: 's_test',
      agent: 'a_test',
      owner_person: 'p_owner',
      principal: 'pr_test',
      environment: 'development',
      domain: 'example.club',
      budget_minor: 10_000,
      currency: 'USD',
      operations_max: 1_000,
      door_cause: null,
      door_at: null,
      end_phase: null,
      end_why: null,
      ended_at: null,
      admitted_at: now,
    })
    .execute();
  return { runId, steps };
}

/** A further revision of the run's plan, `version` making its digests, and a granted gate over all of it. */
export async function seedPlan(
  scratch: Scratch,
  run: SeededRun,
  version: number,
  options: { readonly granted?: boolean } = {},
): Promise<GateId> {
  const { db } = scratch;
  const { runId } = run;
  const { plan_revision: former } = await db
    .selectFrom('runs')
    .select('plan_revision')
    .where('run_id', '=', runId)
    .executeTakeFirstOrThrow();
  const revision = former + 1;
  await db
    .insertInto('plans')
    .values({
      run_id: runId,
      revision,
      plan: '{}',
      digest: sha(`${runId} plan ${revision}`),
      policy_version: 1,
      created_at: now,
    })
    .execute();
  await db
    .insertInto('plan_steps')
    .values(
      run.steps.map(({ step, provider, costMinor, renewalMinor }, position) => ({
        run_id: runId,
        revision,
        step,
        position,
        kind: 'act' as const,
        tier: 'approve' as const,
        digest: digestFor(run, step, version),
        provider,
        cost_minor: costMinor,
        renewal_minor: renewalMinor ?? 0,
        renewal_interval: renewalMinor === undefined ? null : ('month' as const),
      })),
    )
    .execute();
  await db
    .updateTable('runs')
    .set({ plan_revision: revision })
    .where('run_id', '=', runId)
    .execute();
  return seedGate(scratch, run, { revision, version, granted: options.granted ?? true });
}

async function seedGate(
  { db }: Scratch,
  run: SeededRun,
  of: { readonly revision: number; readonly version: number; readonly granted: boolean },
): Promise<GateId> {
  const gateId = gateIdOf({ runId: run.runId, gate: 'plan', revision: of.revision });
  await db
    .insertInto('gates')
    .values({
      gate_id: gateId,
      run_id: run.runId,
      gate: 'plan',
      revision: of.revision,
      plan_revision: of.revision,
      document: '{}',
      digest: sha(`${gateId} document`),
      card: '{}',
      card_digest: sha(`${gateId} card`),
      actions: run.steps.map(({ step }) => digestFor(run, step, of.version)),
      policy_version: 1,
      reason: null,
      closed_by: null,
      opened_at: now,
      expires_at: inThirtyDays,
      closed_at: null,
    })
    .execute();
  await db
    .insertInto('decisions')
    .values({
      digest: decisionOf(gateId),
      gate_id: gateId,
      run_id: run.runId,
      person_id: 'p_ada',
      key_id: 'key-of-ada',
      decision: 'approve',
      statement: '{}',
      signature: 'signature',
      accepted: true,
      reason: null,
      road: 'signal',
      recorded_at: now,
    })
    .execute();
  if (of.granted)
    await db
      .updateTable('gates')
      .set({ state: 'granted', closed_at: now })
      .where('gate_id', '=', gateId)
      .execute();
  return gateId;
}

export const digestFor = (run: SeededRun, step: EffectStep, version: number): Digest =>
  sha(`${run.runId} ${step} ${version}`);
export const decisionOf = (gateId: GateId): string => sha(`${gateId} decision`);

export const effectOf = (scratch: Scratch, run: SeededRun, step: EffectStep): EffectId =>
  effectIdOf({ instance: scratch.instance, runId: run.runId, step, kind: 'act' });

/** What the gateway would ask for this step. */
export function askFor(
  scratch: Scratch,
  run: SeededRun,
  step: EffectStep,
  of: Partial<AuthorizeAsk> & { readonly gateId: GateId; readonly version?: number },
): AuthorizeAsk {
  const seeded = run.steps.find((candidate) => candidate.step === step);
  if (seeded === undefined) throw new Error(`no step ${step}`);
  const { version = 1, ...rest } = of;
  return {
    effectId: effectOf(scratch, run, step),
    runId: run.runId,
    step,
    digest: digestFor(run, step, version),
    decisions: [decisionOf(of.gateId)],
    policyVersion: 1,
    caps: [{ scope: `run:${run.runId}`, capMinor: 1_000 }],
    costMaxMinor: seeded.costMinor,
    currency: 'USD',
    provider: seeded.provider,
    httpTimeoutMs: 48_000,
    settlingMs: 100_000,
    keyed: true,
    sender: 'sender',
    ...rest,
  };
}

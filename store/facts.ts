import { sql } from 'kysely';
import { memoOfText } from '../domain/memo.js';
import type { Plan } from '../domain/plan.js';
import type { Executor } from './connect.js';
import type { SeenEffect } from './effect-rows.js';
import type { RunPeople } from './identity.js';
import { liftOf } from './lifts.js';
import type { Lift, SeenLift } from './lifts.js';
import type { Row } from './schema.js';

/** A run, the current revision of its plan, and its effects, as they stood at one moment. */
export interface RunFacts {
  readonly row: Row<'runs'>;
  readonly plan: Plan | undefined;
  readonly effects: readonly SeenEffect[];
}

/** One round trip; undefined when no such run was admitted. */
export async function readRunFacts(db: Executor, runId: string): Promise<RunFacts | undefined> {
  const { rows } = await sql<Row<'runs'> & { plan: string | null; effects: SeenEffect[] }>`
    select (f.run).*, f.plan, f.effects from run_facts(${runId}) f`.execute(db);
  const [found] = rows;
  if (found === undefined) return undefined;
  const { plan, effects, ...row } = found;
  return { row, plan: planOf(plan), effects };
}

const planOfText = memoOfText(200, (text) => JSON.parse(text) as Plan);

const planOf = (text: string | null): Plan | undefined =>
  text === null ? undefined : planOfText(text);

/** All that a grant over an action stands on, as it stood at one moment. */
export interface GrantFacts {
  readonly now: Date;
  readonly policy: Pick<Row<'policies'>, 'version' | 'digest' | 'document'> | undefined;
  /** The newest gate that lists the action. */
  readonly gate:
    Pick<Row<'gates'>, 'gate_id' | 'state' | 'reason' | 'document' | 'plan_revision'> | undefined;
  /** The plan that the gate was opened over, where it is another revision than the one held. */
  readonly gatePlan: Plan | undefined;
  /** Its accepted decisions, in the order in which they were recorded. */
  readonly decisions: readonly Pick<
    Row<'decisions'>,
    'statement' | 'person_id' | 'key_id' | 'recorded_at' | 'evidence'
  >[];
  readonly persons: readonly Row<'persons'>[];
  readonly keys: readonly Row<'keys'>[];
  /** Who has to do with the run. */
  readonly people: RunPeople;
}

interface RawGrantFacts {
  readonly now: Date;
  readonly policy: { readonly version: number | null; readonly digest: string | null };
  readonly policy_document: string | null;
  readonly gate: GrantFacts['gate'] | null;
  readonly gate_plan: string | null;
  readonly decisions: readonly Json[];
  readonly persons: readonly Json[];
  readonly keys: readonly Json[];
  readonly people: RunPeople | null;
}

type Json = Readonly<Record<string, unknown>>;

/** One round trip. `planRevision`: of the plan that is held. */
export async function readGrantFacts(
  db: Executor,
  of: { readonly runId: string; readonly digest: string; readonly planRevision: number },
): Promise<GrantFacts> {
  const { rows } = await sql<RawGrantFacts>`
    select * from grant_facts(${of.runId}, ${of.digest}, ${of.planRevision})`.execute(db);
  const [raw] = rows;
  if (raw === undefined) throw new Error('invariant: grant_facts answers one row');
  return grantFactsOf(raw, of.runId);
}

/** The facts of a run and those of the grant over its step's action, as planned now. */
export interface EffectFacts {
  readonly run: RunFacts;
  /** Of the action that `grant` is of, as the plan has it; undefined: nothing is to be done for the step. */
  readonly digest: string | undefined;
  readonly grant: GrantFacts;
  /** Whom the plan has the step asked of. */
  readonly provider: string | undefined;
  /** Lifted stops that would cover an effect of this run at that provider. */
  readonly lifts: readonly Lift[];
}

/** Both in one round trip; undefined when no such run was admitted. */
export async function readEffectFacts(
  db: Executor,
  of: { readonly runId: string; readonly step: string },
): Promise<EffectFacts | undefined> {
  const { rows } = await sql<RawEffectFacts>`
    select * from effect_facts(${of.runId}, ${of.step})`.execute(db);
  const [found] = rows;
  if (found === undefined) return undefined;
  const { run, plan, effects, digest, provider, lifts } = found;
  return {
    run: { row: revived<'runs'>(run), plan: planOf(plan), effects },
    digest: digest ?? undefined,
    grant: grantFactsOf(found, of.runId),
    provider: provider ?? undefined,
    lifts: lifts.map(liftOf),
  };
}

interface RawEffectFacts extends RawGrantFacts {
  readonly run: Json;
  readonly plan: string | null;
  readonly effects: SeenEffect[];
  readonly digest: string | null;
  readonly provider: string | null;
  readonly lifts: readonly SeenLift[];
}

function grantFactsOf(raw: RawGrantFacts, runId: string): GrantFacts {
  const { version, digest } = raw.policy;
  if (raw.people === null) throw new Error(`invariant: run ${runId} is on record`);
  return {
    now: raw.now,
    policy:
      version === null || digest === null || raw.policy_document === null
        ? undefined
        : { version, digest, document: raw.policy_document },
    gate: raw.gate ?? undefined,
    gatePlan: planOf(raw.gate_plan),
    decisions: raw.decisions.map((row) => revived<'decisions'>(row)),
    persons: raw.persons.map((row) => revived<'persons'>(row)),
    keys: raw.keys.map((row) => revived<'keys'>(row)),
    people: raw.people,
  };
}

/** Columns that hold an instant are named so, in every table. */
const INSTANT = /_(?:at|from|since|until)$/;

/** A whole row that came as JSON, its instants made dates again. */
function revived<Table extends 'runs' | 'persons' | 'keys' | 'decisions'>(row: Json): Row<Table> {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      INSTANT.test(name) && typeof value === 'string' ? new Date(value) : value,
    ]),
  ) as Row<Table>;
}

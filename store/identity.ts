import { sql } from 'kysely';
import type { Executor } from './connect.js';

/** Why an agent may not act for a principal: the door's words. */
export interface IdentityRefused {
  readonly reason: string;
  readonly agent: string;
}

interface Answer {
  readonly reason: string | null;
  readonly agent: string | null;
}

const refused = ([answer]: readonly Answer[]): IdentityRefused | undefined =>
  answer?.reason == null ? undefined : { reason: answer.reason, agent: answer.agent ?? '' };

/** The first of these agents that may not begin anything for the principal, before there is a run. */
export async function identityRefusal(
  db: Executor,
  of: { readonly agents: readonly string[]; readonly principal: string; readonly currency: string },
): Promise<IdentityRefused | undefined> {
  const { rows } = await sql<Answer>`
    select * from identity_refusal(${[...of.agents]}::text[], ${of.principal}, '{}', 0, ${of.currency})`.execute(
    db,
  );
  return refused(rows);
}

/** The first agent of the run's chain that may not do these steps at this cost (minor units) for its principal. */
export async function planIdentityRefusal(
  db: Executor,
  of: {
    readonly runId: string;
    readonly steps: readonly string[];
    readonly totalMinor: number;
    /** The policy asks for a delegation whoever answers for the agent. */
    readonly delegated: boolean;
  },
): Promise<IdentityRefused | undefined> {
  const { rows } = await sql<Answer>`
    select i.reason, i.agent from runs r, identity_refusal(run_chain(r), r.principal,
      ${[...of.steps]}::text[], ${of.totalMinor}, r.currency, ${of.delegated}) i
     where r.run_id = ${of.runId}`.execute(db);
  return refused(rows);
}

export interface RunPeople {
  readonly owner: string | null;
  readonly principal_person: string | null;
  /** Everybody who has answered for an agent of the chain, or for an agent that asked, since the admission. */
  readonly owners: readonly string[];
  /** The agents before the run's own, outermost first, each with its owner at admission. */
  readonly via: readonly { readonly agent: string; readonly owner: string }[];
}

/** Who has to do with a run, in one read. */
export async function peopleOfRun(db: Executor, runId: string): Promise<RunPeople> {
  const { rows } = await sql<RunPeople>`select * from run_people(${runId})`.execute(db);
  const [row] = rows;
  if (row === undefined) throw new Error(`invariant: run ${runId} is on record`);
  return row;
}

import { sql } from 'kysely';
import type { Environment } from '../domain/steps.js';
import type { Executor } from './connect.js';
import type { Row } from './schema.js';

/** The row that makes a run exist. Amounts in minor units. */
export interface Admission {
  readonly runId: string;
  readonly request: string;
  readonly requestDigest: string;
  readonly requester: string;
  readonly agent: string;
  readonly owner: string;
  /** The agents that it came through, outermost first, its own last, each with its owner now. */
  readonly chain: readonly {
    readonly agent: string;
    readonly build?: string;
    readonly session?: string;
    readonly owner: string;
  }[];
  readonly principal: string;
  readonly environment: Environment;
  readonly domain: string;
  readonly budgetMinor: number;
  readonly currency: string;
  readonly operationsMax: number;
  /** The completed run whose effects this one takes down. */
  readonly tearsDown?: string;
}

export async function readRun(db: Executor, runId: string): Promise<Row<'runs'> | undefined> {
  return db.selectFrom('runs').selectAll().where('run_id', '=', runId).executeTakeFirst();
}

/** Writes the row unless the run id is taken; whether it was written. */
export async function insertRun(tx: Executor, admission: Admission): Promise<boolean> {
  const written = await tx
    .insertInto('runs')
    .values({
      run_id: admission.runId,
      request: admission.request,
      request_digest: admission.requestDigest,
      requester: admission.requester,
      agent: admission.agent,
      owner_person: admission.owner,
      principal: admission.principal,
      environment: admission.environment,
      domain: admission.domain,
      budget_minor: admission.budgetMinor,
      currency: admission.currency,
      operations_max: admission.operationsMax,
      tears_down: admission.tearsDown ?? null,
      door_cause: null,
      door_at: null,
      end_phase: null,
      end_why: null,
      ended_at: null,
      admitted_at: sql<Date>`countersign_now()`,
    })
    .onConflict((conflict) => conflict.column('run_id').doNothing())
    .executeTakeFirst();
  if ((written.numInsertedOrUpdatedRows ?? 0n) === 0n) return false;
  await tx
    .insertInto('run_agents')
    .values(
      admission.chain.map(({ agent, build, owner, session }, position) => ({
        run_id: admission.runId,
        position,
        agent_id: agent,
        build: build ?? null,
        session: session ?? null,
        owner_person: owner,
      })),
    )
    .execute();
  return true;
}

/** A registered service key that has not been revoked. */
export async function readServiceKey(
  db: Executor,
  of: { readonly keyId: string; readonly service: string },
): Promise<Row<'service_keys'> | undefined> {
  return db
    .selectFrom('service_keys')
    .selectAll()
    .where('key_id', '=', of.keyId)
    .where('service_id', '=', of.service)
    .where('revoked_at', 'is', null)
    .executeTakeFirst();
}

/** The rows of these agents, by id. */
export async function readAgents(
  db: Executor,
  agents: readonly string[],
): Promise<ReadonlyMap<string, Row<'agents'>>> {
  if (agents.length === 0) return new Map();
  const rows = await db
    .selectFrom('agents')
    .selectAll()
    .where('agent_id', 'in', [...agents])
    .execute();
  return new Map(rows.map((row) => [row.agent_id, row]));
}

/** A principal by register id, or by its e-mail address in any case. */
export async function readPrincipal(
  db: Executor,
  named: string,
): Promise<Row<'principals'> | undefined> {
  return db
    .selectFrom('principals')
    .selectAll()
    .where((eb) =>
      eb.or([
        eb('principal_id', '=', named),
        eb(eb.fn('lower', ['email']), '=', named.toLowerCase()),
      ]),
    )
    .executeTakeFirst();
}

/** Admits one run at a time per agent, so that two at once cannot both take the last place. */
export async function lockAdmissions(tx: Executor, agent: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${`admission/${agent}`}, 0))`.execute(tx);
}

/** How many of an agent's runs have not ended, and how many were admitted within the last hour. */
export async function countRuns(
  tx: Executor,
  agent: string,
): Promise<{ readonly open: number; readonly lastHour: number }> {
  return tx
    .selectFrom('runs')
    .select([
      sql<number>`count(*) filter (where end_phase is null and door <> 'completed')`.as('open'),
      sql<number>`count(*) filter (where admitted_at > countersign_now() - interval '1 hour')`.as(
        'lastHour',
      ),
    ])
    .where('agent', '=', agent)
    .executeTakeFirstOrThrow();
}

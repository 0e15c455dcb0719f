import { sql } from 'kysely';
import { parseGateId } from '../domain/ids.js';
import type { GateId } from '../domain/ids.js';
import type { Executor } from './connect.js';

/** Scopes of the stops in force that cover a run from above, oldest first: its own is not among them. */
export async function widerStops(db: Executor, runId: string): Promise<string[]> {
  const { rows } = await sql<{ scope: string }>`
    select f.scope from fences f join runs r on r.run_id = ${runId}
     where f.scope <> 'run/' || r.run_id and scope_covers(f.scope, r, '')
     order by f.stop_id`.execute(db);
  return rows.map(({ scope }) => scope);
}

/** Of these runs, those that have a stop of their own. */
export async function stoppedAlone(db: Executor, runIds: readonly string[]): Promise<string[]> {
  if (runIds.length === 0) return [];
  const rows = await db
    .selectFrom('fences')
    .select('scope')
    .where(
      'scope',
      'in',
      runIds.map((runId) => `run/${runId}`),
    )
    .orderBy('stop_id')
    .execute();
  return rows.map(({ scope }) => scope.slice('run/'.length));
}

/** Has a wider stop held this run that is lifted by now? */
export async function wasHeldFromAbove(db: Executor, runId: string): Promise<boolean> {
  const { rows } = await sql`
    select 1 from stops s join runs r on r.run_id = ${runId}
     where s.mode = 'hold' and s.lifted_at >= r.admitted_at and s.scope not like 'run/%'
       and (s.scope like 'provider/%' or scope_covers(s.scope, r, ''))`.execute(db);
  return rows.length > 0;
}

/** Has this very statement lifted a stop over the scope? */
export async function wasLifted(db: Executor, scope: string, statement: string): Promise<boolean> {
  const stop = await db
    .selectFrom('stops')
    .select('stop_id')
    .where('scope', '=', scope)
    .where('lifted_statement', '=', statement)
    .executeTakeFirst();
  return stop !== undefined;
}

/** Open gates of the runs that a stop covers; over a provider, of those that plan an action there. */
export async function openGatesInScope(db: Executor, scope: string): Promise<GateId[]> {
  const { rows } = await sql<{ gate_id: string }>`
    select g.gate_id from gates g join runs r on r.run_id = g.run_id
     where g.state = 'open' and (scope_covers(${scope}, r, '') or exists (
       select 1 from plan_steps s where s.run_id = r.run_id and s.revision = g.plan_revision
          and s.kind = 'act' and scope_covers(${scope}, r, s.provider)))`.execute(db);
  return rows.flatMap(({ gate_id }) => parseGateId(gate_id)?.gateId ?? []);
}

/** May a person, an agent or a service stop this scope? An agent and a service: only what is theirs. */
export async function mayStop(
  db: Executor,
  by: { readonly kind: 'person' | 'agent' | 'service'; readonly id: string },
  scope: string,
): Promise<boolean> {
  const [kind = '', id = ''] = scope.split(/\/(.*)/s);
  const { rows } = await sql<{ may: boolean }>`select case ${by.kind}
    when 'person' then exists (select 1 from persons h
      where h.person_id = ${by.id} and h.kind = 'human' and h.active)
    when 'agent' then exists (select 1 from agents a where a.agent_id = ${by.id})
      and (${scope} = 'agent/' || ${by.id}
        or exists (select 1 from runs r where ${kind} = 'run' and r.run_id = ${id} and r.agent = ${by.id}))
    when 'service' then exists (select 1 from service_keys k
      where k.service_id = ${by.id} and k.revoked_at is null and (
        (${kind} = 'agent' and (${id} = any(k.agents) or '*' = any(k.agents)))
        or exists (select 1 from runs r
             where ${kind} = 'run' and r.run_id = ${id} and r.requester = ${by.id})))
    else false end as may`.execute(db);
  return rows[0]?.may === true;
}

/**
 * The stop over a scope that has not been lifted: its fence, or another of its layers, still holds. `askedAt`: when somebody
 * asked for it last.
 */
export async function standingStop(
  db: Executor,
  scope: string,
): Promise<{ readonly stopId: number; readonly askedAt: Date } | undefined> {
  const { rows } = await sql<{ stopId: number; askedAt: Date }>`
    select s.stop_id as "stopId", coalesce(s.pressed_at, s.fenced_at) as "askedAt" from stops s left join fences f on f.stop_id = s.stop_id
     where s.scope = ${scope} and s.lifted_at is null
       and (f.stop_id is not null or coalesce(s.identity_at, s.payment_at) is not null)
     order by s.stop_id desc limit 1`.execute(db);
  return rows[0];
}

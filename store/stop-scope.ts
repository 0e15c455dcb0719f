import { sql } from 'kysely';
import { parseGateId } from '../domain/ids.js';
import type { GateId } from '../domain/ids.js';
import type { Executor } from './connect.js';

/** Open gates of the runs that a stop covers; over a provider, of those that plan an action there. */
export async function openGatesInScope(db: Executor, scope: string): Promise<GateId[]> {
  const { rows } = await sql<{ gate_id: string }>`
    select g.gate_id from gates g join runs r on r.run_id = g.run_id
     where g.state = 'open' and (scope_covers(${scope}, r, '') or exists (
       select 1 from plan_steps s where s.run_id = r.run_id and s.revision = g.plan_revision
          and s.kind = 'act' and scope_covers(${scope}, r, s.provider)))`.execute(db);
  return rows.flatMap(({ gate_id }) => parseGateId(gate_id)?.gateId ?? []);
}

import { sql } from 'kysely';
import type { Executor } from './connect.js';

/** What the record says of an effect and of a thing of that name at the provider. */
export interface Origin {
  /** The object that is on the effect's own row. */
  readonly object: string | undefined;
  /** The first send since the row had last surely done nothing. */
  readonly begunAt: Date;
  /** Had the row surely done nothing when it was marked `closing`? */
  readonly refused: boolean;
  /** Another run whose row has this thing, made after it came to be, and not taken back since. */
  readonly holder: string | undefined;
}

/** How far apart the provider's clock and ours may be. In ms. */
export const CLOCKS_APART_MS = 5 * 60_000;

/** Undefined when the effect has no row. */
export async function originOf(
  db: Executor,
  of: { readonly effectId: string; readonly object?: string; readonly madeAt?: Date },
): Promise<Origin | undefined> {
  const { rows } = await sql<{
    object: string | null;
    begun_at: Date;
    refused: boolean;
    holder: string | null;
  }>`
    select e.object, coalesce(e.begun_at, e.created_at) as begun_at, e.refused, (
      select o.run_id from effects o
       where o.run_id <> e.run_id and o.step = e.step and o.kind = 'act'
         and o.object = ${of.object ?? null}::text
         -- torn down since, as nothing is that bears a name for years; or the row of what took it down
         and (o.torn_at is null or o.step = 'register-domain')
         and not exists (select 1 from runs t where t.run_id = o.run_id and t.tears_down is not null)
         and (o.state <> 'closed' or o.outcome in ('mitigated', 'given-up'))
         and (${of.madeAt ?? null}::timestamptz is null or o.settled_at
              >= ${of.madeAt ?? null}::timestamptz - ${CLOCKS_APART_MS} * interval '1 millisecond')
       order by o.settled_at limit 1) as holder
      from effects e where e.effect_id = ${of.effectId}`.execute(db);
  const [row] = rows;
  return row === undefined
    ? undefined
    : {
        object: row.object ?? undefined,
        begunAt: row.begun_at,
        refused: row.refused,
        holder: row.holder ?? undefined,
      };
}

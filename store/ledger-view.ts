import { sql } from 'kysely';
import type { Executor } from './connect.js';

/** One scope in one month. Amounts in minor units. */
export interface LedgerRow {
  readonly scope: string;
  readonly month: string;
  readonly currency: string;
  readonly reservedMinor: number;
  readonly capturedMinor: number;
  readonly standingMinor: number;
}

/**
 * The balances of a month (`YYYY-MM`, UTC). Without one: of this month by the control database's clock, and of every month
 * that still holds a reservation.
 */
export async function ledgerRows(db: Executor, month?: string): Promise<readonly LedgerRow[]> {
  const { rows } = await sql<LedgerRow>`
    select b.scope, b.month, b.currency, b.reserved_minor as "reservedMinor",
           b.captured_minor as "capturedMinor", b.standing_minor as "standingMinor"
      from balances b
     where case when ${month ?? null}::text is null
       then b.month = utc_month(countersign_now()) or b.reserved_minor > 0
       else b.month = ${month ?? null}::text end
     order by b.month desc, b.scope, b.currency`.execute(db);
  return rows;
}

export interface AlertRow {
  readonly scope: string;
  readonly month: string;
  readonly currency: string;
  readonly percent: number;
  readonly at: Date;
}

/** The alerts of a month, or of this one, in the order in which they came. */
export async function alertRows(db: Executor, month?: string): Promise<readonly AlertRow[]> {
  const { rows } = await sql<AlertRow>`
    select n.payload->>'scope' as scope, n.payload->>'month' as month,
           n.payload->>'currency' as currency, (n.payload->>'percent')::int as percent,
           n.made_at as at
      from notices n where n.kind = 'cap-alert'
       and n.payload->>'month' = coalesce(${month ?? null}::text, utc_month(countersign_now()))
     order by n.notice_id`.execute(db);
  return rows;
}

export interface RenewalRow {
  readonly effectId: string;
  readonly runId: string;
  readonly step: string;
  readonly amountMinor: number;
  readonly currency: string;
  readonly renews: 'month' | 'year';
  readonly nextAt: Date;
}

/**
 * What renews by itself, with the next moment that it does: the same day of a later month, the last day where a month is
 * shorter. With a month: what renews in that month, from its start on.
 */
export async function renewalRows(db: Executor, month?: string): Promise<readonly RenewalRow[]> {
  const { rows } = await sql<RenewalRow>`
    with live as (
      select c.*, e.run_id, e.step, coalesce(e.begun_at, e.created_at) at time zone 'UTC' as anchor,
             case when ${month ?? null}::text is null then countersign_now() at time zone 'UTC'
               else (${month ?? '2000-01'} || '-01')::timestamp end as since
        from commitments c join effects e on e.effect_id = c.effect_id where c.ended_month is null),
    next as (
      select l.*, (select min(l.anchor + n * interval '1 month')
                     from generate_series(case l.renews when 'month' then 1 else 12 end, 1200,
                            case l.renews when 'month' then 1 else 12 end) n
                    where l.anchor + n * interval '1 month' >= l.since) at time zone 'UTC' as at
        from live l)
    select n.effect_id as "effectId", n.run_id as "runId", n.step, n.amount_minor as "amountMinor",
           n.currency, n.renews, n.at as "nextAt"
      from next n
     where n.at is not null
       and (${month ?? null}::text is null or utc_month(n.at) = ${month ?? null}::text)
     order by n.at, n.effect_id`.execute(db);
  return rows;
}

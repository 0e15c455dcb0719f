import { sql } from 'kysely';
import type { Executor } from './connect.js';

/** One step's share of a reservation. Amounts in minor units. */
export interface ReserveItem {
  readonly step: string;
  readonly costMinor: number;
  readonly currency: string;
  readonly caps: readonly { readonly scope: string; readonly capMinor: number }[];
}

/**
 * Reserves all of it under this month's caps, and takes the run's share of what is counted by day and month; or raises
 * CS002 naming the cap or the rule. Inside a transaction that holds fence and run.
 */
export async function reservePlan(
  tx: Executor,
  runId: string,
  items: readonly ReserveItem[],
): Promise<void> {
  await sql`select reserve_plan(${runId}, ${JSON.stringify(items)}::jsonb)`.execute(tx);
  await sql`select hold_plan(${runId})`.execute(tx);
}

export interface CapUse {
  readonly scope: string;
  readonly capMinor: number;
  /** Without this run's own reservations. */
  readonly usedMinor: number;
  /** With all that the items reserve. */
  readonly afterMinor: number;
}

/** What each cap holds this month, before and after these items. */
export async function capUses(
  tx: Executor,
  runId: string,
  items: readonly ReserveItem[],
): Promise<CapUse[]> {
  const caps = new Map(
    items.flatMap((item) => item.caps.map(({ scope, capMinor }) => [scope, capMinor] as const)),
  );
  const uses: CapUse[] = [];
  for (const [scope, capMinor] of caps) {
    const currency = items.find((item) => item.caps.some((cap) => cap.scope === scope))?.currency;
    const { rows } = await sql<{ used: number; own: number }>`
      select coalesce((select b.reserved_minor + b.captured_minor + b.standing_minor
                from balances b where b.scope = ${scope} and b.currency = ${currency ?? ''}
                 and b.month = utc_month(countersign_now())), 0)::bigint as used,
             coalesce((select sum(r.amount_minor) from reservations r
                where r.run_id = ${runId} and r.state = 'reserved' and ${scope} = any(r.scopes)
                 and r.month = utc_month(countersign_now())), 0)::bigint as own`.execute(tx);
    const { used, own } = rows[0] ?? { used: 0, own: 0 };
    const asked = items
      .filter((item) => item.caps.some((cap) => cap.scope === scope))
      .reduce((sum, { costMinor }) => sum + costMinor, 0);
    uses.push({
      scope,
      capMinor,
      usedMinor: used - own,
      afterMinor: used - own + asked,
    });
  }
  return uses;
}

/**
 * Takes the fence shared, then the run's row, each as a statement of its own, as the door does: what is read after
 * has a later snapshot. Answers the door, and whether a stop covers the run at any of these providers.
 */
export async function enterRun(
  tx: Executor,
  runId: string,
  providers: readonly string[],
): Promise<{ readonly door: string; readonly fenced: boolean } | undefined> {
  await sql`select door_enter()`.execute(tx);
  const run = await tx
    .selectFrom('runs')
    .select('door')
    .where('run_id', '=', runId)
    .forNoKeyUpdate()
    .executeTakeFirst();
  if (run === undefined) return undefined;
  const { rows } = await sql<{ fenced: boolean }>`
    select coalesce(bool_or(door_fenced(r, p)), false) as fenced
      from runs r, unnest(${[...providers, '']}::text[]) p where r.run_id = ${runId}`.execute(tx);
  return { door: run.door, fenced: rows[0]?.fenced ?? false };
}

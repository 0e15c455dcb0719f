import { sql } from 'kysely';
import type { ActionDocument } from '../domain/documents.js';
import type { Plan } from '../domain/plan.js';
import type { Finding, Outside, Renewed } from '../domain/reconcile/records.js';
import type { EffectStep } from '../domain/steps.js';
import type { Executor } from './connect.js';

/** One forward effect with the action that its row was authorized under. */
export interface EffectOnRecord {
  readonly effectId: string;
  readonly runId: string;
  readonly step: EffectStep;
  readonly state: 'claimed' | 'succeeded' | 'failed' | 'unknown' | 'closing' | 'closed';
  /** Settled so long ago that every list shows what it did. */
  readonly quiet: boolean;
  readonly outcome: string | null;
  readonly object: string | null;
  readonly fields: Readonly<Record<string, string>>;
  readonly capturedMinor: number;
  readonly refundedMinor: number;
  readonly renewalMinor: number | null;
  /** Whether a stop wants the collection of this subscription paused; null: it is none. */
  readonly paused: 'yes' | 'no' | 'moving' | null;
  readonly action: ActionDocument | undefined;
}

/** Lists may lag behind what was settled by the settling time, and this much more. In ms. */
const LAG_MS = 5_000;
/** So long after a stop that pauses subscriptions, or after its end, they may still be on their way there. In ms. */
const PAUSING_MS = 10 * 60_000;

/** Every forward effect, oldest first, each with the revision of the plan that holds its very action. */
export async function effectsOnRecord(db: Executor): Promise<readonly EffectOnRecord[]> {
  const { rows } = await sql<Omit<EffectOnRecord, 'action'> & { plan: string | null }>`
    select e.effect_id as "effectId", e.run_id as "runId", e.step, e.object,
           case when e.torn_by is null then e.state
             when e.torn_at is null then 'closing' else 'closed' end as state,
           -- guard: what was taken down is over, and a name stays as after a mitigation
           case when e.torn_at is null then e.outcome
             when e.step = 'register-domain' then 'mitigated' else 'reversed' end as outcome,
           e.fields, e.captured_minor as "capturedMinor", e.refunded_minor as "refundedMinor",
           c.amount_minor as "renewalMinor",
           e.settled and coalesce(e.settled_at, e.created_at)
             + from_ms(e.settling_ms + ${LAG_MS}) < countersign_now() as quiet,
           case when e.step <> 'start-subscription' then null
             when exists (select 1 from stops s where scope_covers(s.scope, r, 'stripe')
                    and greatest(s.pauses_at, s.lifted_at)
                      > countersign_now() - from_ms(${PAUSING_MS})
                    and s.pauses_at is not null) then 'moving'
             when pause_wanted(r) then 'yes' else 'no' end as paused,
           (select p.plan from plan_steps s join plans p using (run_id, revision)
             where s.run_id = e.run_id and s.step = e.step and s.digest = e.digest
             order by s.revision desc limit 1) as plan
      from effects e join runs r on r.run_id = e.run_id
           left join commitments c on c.effect_id = e.effect_id
     where e.kind = 'act' and r.tears_down is null
     order by coalesce(e.begun_at, e.created_at), e.effect_id`.execute(db);
  return rows.map(({ plan, ...row }) => ({
    ...row,
    action:
      plan === null
        ? undefined
        : (JSON.parse(plan) as Plan).steps.find(({ step }) => step === row.step)?.action,
  }));
}

/** Accounts of principals at the providers: customers and Cloudflare accounts. */
export async function accountsOnRecord(db: Executor): Promise<ReadonlySet<string>> {
  const rows = await db.selectFrom('principal_accounts').select('account').execute();
  return new Set(rows.map(({ account }) => account));
}

/** Names of the tokens that were minted here. */
export async function tokensOnRecord(db: Executor): Promise<ReadonlyMap<string, 'live' | 'over'>> {
  const rows = await db.selectFrom('provider_tokens').select(['name', 'state']).execute();
  return new Map(
    rows.map(({ name, state }) => [name, state === 'revoked' ? 'over' : 'live'] as const),
  );
}

/** Opens a case for a finding, once while it stands. True when a case was opened. */
export async function findingSeen(db: Executor, area: string, finding: Finding): Promise<boolean> {
  const { rows } = await sql<{ opened: boolean }>`
    select finding_seen(${JSON.stringify({ ...finding, area })}::jsonb) as opened`.execute(db);
  return rows[0]?.opened === true;
}

/** The area was read whole: closes the cases of what was not seen in it. Answers how many. */
export async function findingsGone(
  db: Executor,
  area: string,
  seen: readonly string[],
): Promise<number> {
  const { rows } = await sql<{ closed: number }>`
    select findings_gone(${area}, ${seen}::text[]) as closed`.execute(db);
  return rows[0]?.closed ?? 0;
}

/** Books a renewal that the provider has charged, once. True when it was new. */
export async function captureRenewal(db: Executor, of: Renewed): Promise<boolean> {
  const { effectId, object, paidAtMs, paidMinor } = of;
  const paidAt = new Date(paidAtMs).toISOString();
  const { rows } = await sql<{ answer: string }>`
    select capture_renewal(${JSON.stringify({ effectId, object, paidMinor, paidAt })}::jsonb) as answer`.execute(
    db,
  );
  return rows[0]?.answer === 'booked';
}

/** It ended at the provider: nothing of it is due any more. True when that was new. */
export async function commitmentSeenEnded(db: Executor, effectId: string): Promise<boolean> {
  const { rows } = await sql<{ ended: boolean }>`
    select commitment_seen_ended(${effectId}) as ended`.execute(db);
  return rows[0]?.ended === true;
}

/** Opens the month for every renewal due, and tells its rows the caps of the policy in force. */
export async function monthBegins(
  db: Executor,
  caps: readonly { readonly scope: string; readonly capMinor: number }[],
  currency: string,
): Promise<void> {
  await sql`select month_begins(${JSON.stringify(caps)}::jsonb, ${currency})`.execute(db);
  await sql`select renewals_that_fit()`.execute(db);
}

/** The scopes over which something renews. */
export async function scopesThatRenew(db: Executor): Promise<readonly string[]> {
  const { rows } = await sql<{ scope: string }>`
    select distinct unnest(c.scopes) as scope from commitments c where c.ended_month is null
     order by 1`.execute(db);
  return rows.map(({ scope }) => scope);
}

/** Records how far an area was read; `unmanaged` replaces what was listed before. */
export async function areaRead(db: Executor, area: string, unmanaged: readonly Outside[]) {
  const listed = JSON.stringify(unmanaged);
  await sql`
    insert into reconcile_areas (area, tried_at, read_at, unmanaged)
      values (${area}, countersign_now(), countersign_now(), ${listed}::jsonb)
      on conflict (area) do update set tried_at = excluded.tried_at, read_at = excluded.read_at,
        why = null, unmanaged = excluded.unmanaged`.execute(db);
}

/** Records that an area could not be read whole; true when that has been so for a day. */
export async function areaUnread(db: Executor, area: string, why: string): Promise<boolean> {
  const { rows } = await sql<{ blind: boolean }>`
    insert into reconcile_areas as a (area, tried_at, why)
      values (${area}, countersign_now(), ${why})
      on conflict (area) do update set why = excluded.why,
        tried_at = case when a.read_at is null then a.tried_at else excluded.tried_at end
    returning coalesce(a.read_at, a.tried_at) < countersign_now() - interval '1 day' as blind`.execute(
    db,
  );
  return rows[0]?.blind === true;
}

/** Areas by how long ago each was last tried: who waits longest comes first. */
export async function areasByAge(db: Executor): Promise<ReadonlyMap<string, number>> {
  const rows = await db.selectFrom('reconcile_areas').select(['area', 'read_at']).execute();
  return new Map(rows.map(({ area, read_at: at }) => [area, at?.getTime() ?? 0]));
}

/** Begins a pass unless one began within this time, in ms; of several workers one begins it. */
export async function beginPass(db: Executor, withinMs: number): Promise<number | undefined> {
  const { rows } = await sql<{ pass_id: number }>`
    with turn as materialized (select pg_try_advisory_xact_lock(7003) as mine)
    insert into reconcile_passes (begun_at) select countersign_now() from turn
     where turn.mine and not exists (select 1 from reconcile_passes p
       where p.begun_at > countersign_now() - from_ms(${withinMs}))
    returning pass_id`.execute(db);
  return rows[0]?.pass_id;
}

export async function endPass(db: Executor, passId: number, outcome: object): Promise<void> {
  await db
    .updateTable('reconcile_passes')
    .set({ ended_at: sql<Date>`countersign_now()`, outcome: JSON.stringify(outcome) })
    .where('pass_id', '=', passId)
    .execute();
}

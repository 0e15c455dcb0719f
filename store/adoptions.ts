import { sql } from 'kysely';
import { recordsOf } from '../domain/dns-record.js';
import type { Plan, Quote } from '../domain/plan.js';
import { parseRequest } from '../domain/request.js';
import { EFFECT_STEPS } from '../domain/steps.js';
import type { EffectStep } from '../domain/steps.js';
import type { Executor } from './connect.js';

/** A run whose plan builds on something that another run made. */
export interface Adopter {
  readonly runId: string;
  readonly completed: boolean;
  /** A stop covers it, so that it may still be taken back itself. */
  readonly stopped: boolean;
}

/** Something that a run made: which run, whose, and the object as its row names it. */
export interface Made {
  readonly runId: string;
  readonly principal: string;
  readonly domain: string;
  readonly step: EffectStep;
  readonly object: string;
  /** Of DNS records, of which a run makes only those that are missing: the ones that it made. */
  readonly records?: readonly RecordMade[];
}

export interface RecordMade {
  readonly type: string;
  readonly name: string;
  readonly content: string;
}

/** A plan, and what it was made from: what it takes for granted is in both. */
export interface Building {
  readonly domain: string;
  /** Canonical JSON of the request. */
  readonly request: string;
  readonly plan: Plan;
  readonly quote: Quote;
}

/** Runs that are open or have completed, and whose current plan takes this very object for granted. Oldest first. */
export async function adoptersOf(db: Executor, made: Made): Promise<readonly Adopter[]> {
  const { rows } = await sql<{
    run_id: string;
    domain: string;
    request: string;
    completed: boolean;
    stopped: boolean;
    plan: string;
    quote: string;
  }>`
    select r.run_id, r.domain, r.request, r.door = 'completed' as completed, p.plan, p.quote,
           exists (select 1 from fences f where scope_covers(f.scope, r, '')) as stopped
      from runs r join plans p on p.run_id = r.run_id and p.revision = r.plan_revision
     where r.run_id <> ${made.runId} and r.door in ('open', 'completed') and p.denials = 0
       and not exists (select 1 from runs t where t.tears_down = r.run_id and t.door = 'completed')
       and (r.principal = ${made.principal} or r.domain = ${made.domain})
     order by r.admitted_at`.execute(db);
  return rows
    .map((row) => ({
      ...row,
      runId: row.run_id,
      plan: JSON.parse(row.plan) as Plan,
      quote: JSON.parse(row.quote) as Quote,
    }))
    .filter((run) => adopts(run, made))
    .map(({ runId, completed, stopped }) => ({ runId, completed, stopped }));
}

/** Steps of which a plan counts upon something that is there, beside what it adds itself. */
export function stepsAdopted({ plan, quote }: Pick<Building, 'plan' | 'quote'>): EffectStep[] {
  return EFFECT_STEPS.filter(
    (step) =>
      plan.steps.some((planned) => planned.step === step && planned.kind === 'adopt') ||
      // An account may be linked by several runs at once, each with an act of its own.
      (step === 'link-account' && quote.account.kind === 'link') ||
      (step === 'configure-dns' &&
        quote.dns.kind === 'create' &&
        (quote.dns.there ?? []).length > 0),
  );
}

/** Does this plan take this very object for granted? */
export function adopts(
  building: Building,
  made: Pick<Made, 'step' | 'object' | 'records'>,
): boolean {
  const { step, object } = made;
  if (!stepsAdopted(building).includes(step)) return false;
  const { quote, domain, request } = building;
  const { account, customDomain, customer, domain: registration, site, subscription } = quote;
  switch (step) {
    case 'create-customer':
      return customer.kind === 'adopt' && customer.customerId === object;
    case 'link-account':
      return account.kind === 'link' && account.accountId === object;
    case 'start-subscription':
      return subscription.kind === 'running' && subscription.subscriptionId === object;
    case 'register-domain':
      return registration.kind === 'running' && domain === object;
    case 'configure-dns':
      return (
        registration.kind === 'running' &&
        object.startsWith(`${registration.zoneId}/`) &&
        wants(request, made.records ?? [])
      );
    case 'deploy-site':
      return site.kind === 'same' && object.startsWith(`${site.scriptName}/`);
    case 'attach-domain':
      return customDomain.kind === 'attached' && object.startsWith(`${domain} -> `);
  }
}

/** Does the request name one of these records? Of what it names, a plan adopts what is there. */
function wants(request: string, records: readonly RecordMade[]): boolean {
  return recordsOf(parseRequest(JSON.parse(request))).some(({ type, name, content }) =>
    records.some((made) => made.type === type && made.name === name && made.content === content),
  );
}

import type { Anomaly } from '../domain/anomalies.js';
import { buildPlan } from '../domain/build-plan.js';
import { canonicalize } from '../domain/canonical.js';
import { recordsOf } from '../domain/dns-record.js';
import { scriptNameOf } from '../domain/domain-name.js';
import { Failure } from '../domain/errors.js';

import type { RunId } from '../domain/ids.js';
import type { Denial, Plan, Quote } from '../domain/plan.js';
import { demandsDelegation } from '../domain/policy/delegations.js';
import type { Policy } from '../domain/policy/schema.js';
import type { Request } from '../domain/request.js';
import type { EffectStep } from '../domain/steps.js';
import { bundleSize } from '../store/bundle-files.js';
import { databaseNow } from '../store/clock.js';
import type { Executor } from '../store/connect.js';
import { planIdentityRefusal } from '../store/identity.js';
import { readPlan, readQuote } from '../store/plans.js';
import { linkedAccount } from '../store/principal-accounts.js';
import { runsOfPrincipal } from '../store/runs-of-principal.js';
import { unattendedUse } from '../store/allowances.js';
import { acceptedTerms } from '../store/terms.js';
import type { PlanSummary } from './contract.js';
import type { EffectRow } from './door-contract.js';
import type { Parts } from './parts.js';
import { holding, holdUnusual, unusualAbout } from './anomalies.js';
import { IDENTITY_RULE, identityWords } from './identity.js';
import { parseMarker } from './marker.js';
import { policyInForce } from './policy.js';
import type { PolicyInForce } from './policy-row.js';
import { principalOf } from './principal.js';
import { quote } from './quote.js';
import { loadRun } from './record.js';
import type { RunRecord } from './record.js';
import { tearDown } from './plan-teardown.js';
import { writePlan } from './write-plan.js';

/**
 * Quotes, plans and lets the policy in force judge. Writes a further revision only if something differs from the
 * current one, so that a repeated call answers the same plan.
 * @throws POLICY_MISSING, NEEDS_INPUT, REQUEST_INVALID, DOOR_CLOSED, BUSY, PROVIDER_AUTH, PROVIDER_UNAVAILABLE
 */
export async function planRun(parts: Parts, runId: RunId): Promise<PlanSummary> {
  const run = await loadRun(parts, runId);
  const current = await readPlan(parts.db, runId);
  if (run.row.door !== 'open') {
    if (current !== undefined) return { plan: current, denials: current.denials };
    throw new Failure('DOOR_CLOSED', `the door of run ${runId} is ${run.row.door}`);
  }
  const inForce = await policyInForce(parts.db, parts);
  const { quoted, build } =
    run.request.tearsDown === undefined
      ? await setUp(parts, run, inForce)
      : await tearDown(parts, { run, inForce, tornRun: run.request.tearsDown });
  const planned = await judged(parts, {
    current,
    build: async (anomalies) => asDelegated(parts.db, inForce.policy, build(anomalies)),
    agent: run.row.agent,
    policy: inForce.policy,
  });
  if (current !== undefined && sameButRevision(current, planned))
    return { plan: current, denials: current.denials };
  const former = await readQuote(parts.db, runId);
  return writePlan(parts.db, {
    run,
    plan: planned,
    quote: quoted,
    policy: inForce.policy,
    ...(current === undefined || former === undefined || current.denials.length > 0
      ? {}
      : { standing: { plan: current, quote: former } }),
  });
}

/** What a run is planned from, and the plan for each word of what is unusual about it. */
interface Built {
  readonly quoted: Quote;
  readonly build: (anomalies: readonly Anomaly[]) => Plan;
}

async function setUp(parts: Parts, run: RunRecord, inForce: PolicyInForce): Promise<Built> {
  const { runId } = run;
  const rows = (await parts.door.rows(runId)).filter(({ kind }) => kind === 'act');
  await mustBeStored(parts.db, run.request.bundle);
  const principal = await principalOf(parts.db, run.row.principal);
  const quoted = await quoteRun(
    parts,
    { request: run.request, principalId: run.row.principal, email: principal.email },
    { inForce, rows, former: await readQuote(parts.db, runId) },
  );
  const accepted = await acceptedTerms(parts.db, run.row.principal);
  const unattended = await unattendedUse(parts.db, { agent: run.row.agent, runId });
  const build = (anomalies: readonly Anomaly[]): Plan =>
    buildPlan({
      instance: parts.instance,
      runId,
      revision: run.row.plan_revision + 1,
      request: run.request,
      quote: quoted,
      principal,
      policy: inForce.policy,
      policyVersion: inForce.version,
      policyDigest: inForce.digest,
      acceptedTerms: accepted,
      unattended,
      anomalies,
    });
  return { quoted, build };
}

/**
 * The plan, with what is unusual about it: looked for once, before a run is planned for the first time, so that planning
 * again says the same.
 */
async function judged(
  parts: Parts,
  of: {
    readonly current: Plan | undefined;
    readonly build: (anomalies: readonly Anomaly[]) => Promise<Plan>;
    readonly agent: string;
    readonly policy: Policy;
  },
): Promise<Plan> {
  const { build, current } = of;
  if (current !== undefined) return build(current.anomalies ?? []);
  const plain = await build([]);
  if (plain.denials.length > 0) return plain;
  const anomalies = await unusualAbout(parts.db, { ...of, plan: plain });
  const holds = holding(anomalies, of.policy);
  if (holds !== undefined) await holdUnusual(parts.db, { runId: plain.runId, anomaly: holds });
  return anomalies.length === 0 ? plain : build(anomalies);
}

/** The plan, denied where an agent of the run's chain may not do all of it for the principal. */
async function asDelegated(db: Executor, policy: Policy, plan: Plan): Promise<Plan> {
  const acts = plan.steps.filter(({ kind }) => kind === 'act');
  const { environment } = plan;
  const tiers = acts.map(({ tier }) => tier);
  const refused = await planIdentityRefusal(db, {
    runId: plan.runId,
    steps: acts.map(({ step }) => step),
    totalMinor: plan.totalMaxMinor,
    delegated: demandsDelegation(policy.delegations, { environment, tiers }),
  });
  if (refused === undefined) return plan;
  const denial = { rule: IDENTITY_RULE, message: identityWords(refused) };
  return { ...plan, denials: [...plan.denials, denial] };
}

const sameButRevision = (one: Plan, other: Plan): boolean =>
  canonicalize({ ...one, revision: 0 }) === canonicalize({ ...other, revision: 0 });

/** Writes a further revision that refuses the plan for this reason too: what no cap has room for, for one. */
export async function denyPlan(parts: Parts, runId: RunId, denial: Denial): Promise<void> {
  const run = await loadRun(parts, runId);
  const plan = await readPlan(parts.db, runId);
  const quoted = await readQuote(parts.db, runId);
  if (plan === undefined || quoted === undefined)
    throw new Failure('OUT_OF_ORDER', `run ${runId} has no plan to deny`);
  const denied = { ...plan, revision: plan.revision + 1, denials: [...plan.denials, denial] };
  const { policy } = await policyInForce(parts.db, parts);
  await writePlan(parts.db, { run, plan: denied, quote: quoted, policy });
}

/** The steps whose outcome stands or is not known: what was quoted for them stays as it was. */
const stands = ({ state }: EffectRow): boolean => state !== 'failed';

async function mustBeStored(db: Executor, bundle: string): Promise<void> {
  if ((await bundleSize(db, bundle)) === undefined)
    throw new Failure(
      'REQUEST_INVALID',
      `bundle: no site ${bundle} is stored here: pack and store it first`,
    );
}

/** Whose request is quoted. */
export interface Asking {
  readonly request: Request;
  readonly principalId: string;
  readonly email: string;
}

/** Reads at the providers what is there and what it costs; `former` is what this run was quoted before. */
export async function quoteRun(
  parts: Parts,
  { request, principalId, email }: Asking,
  {
    inForce,
    rows,
    former,
  }: { inForce: PolicyInForce; rows: readonly EffectRow[]; former: Quote | undefined },
): Promise<Quote> {
  const made = (step: EffectStep): string | undefined =>
    rows.find((effect) => effect.step === step && stands(effect))?.object;
  const linked = (provider: 'stripe' | 'cloudflare'): Promise<string | undefined> =>
    linkedAccount(parts.db, { principal: principalId, provider });
  const customerId = made('create-customer') ?? (await linked('stripe'));
  const accountId = made('link-account') ?? (await linked('cloudflare'));
  const wanted = request.subscription?.plan;
  const price = inForce.policy.subscriptions.plans.find(({ name }) => name === wanted);
  const runs = await runsOfPrincipal(parts.db, principalId);
  const renewalMinor = renewalOf(runs, request.domain.name);
  const fresh = await quote(
    {
      quotedAt: (await databaseNow(parts.db)).toISOString(),
      email: email.toLowerCase(),
      domain: request.domain.name,
      bundle: request.bundle,
      scriptName: scriptNameOf(request.domain.name),
      dns: recordsOf(request),
      ...(price === undefined ? {} : { price }),
      ...(request.hosting.account === undefined ? {} : { account: request.hosting.account }),
      known: {
        ...(customerId === undefined ? {} : { customerId }),
        ...(accountId === undefined ? {} : { accountId }),
        ...(renewalMinor === undefined ? {} : { renewalMinor }),
        currency: inForce.policy.currency,
      },
      // Ours is what an effect of this instance made, in a run of this very principal.
      ours: (marker) => {
        const named = parseMarker(marker);
        return (
          named?.instance === parts.instance && runs.some(({ runId }) => runId === named.runId)
        );
      },
    },
    parts.readers,
    parts.providers.forReading('reads'),
  );
  return former === undefined ? fresh : keep(former, fresh, rows.filter(stands));
}

const PART_OF: Readonly<Record<EffectStep, Exclude<keyof Quote, 'quotedAt'>>> = {
  'create-customer': 'customer',
  'link-account': 'account',
  'start-subscription': 'subscription',
  'register-domain': 'domain',
  'configure-dns': 'dns',
  'deploy-site': 'site',
  'attach-domain': 'customDomain',
};

/** What this run has begun is not quoted anew: its own customer is not one to adopt, nor its site one to update. */
function keep(former: Quote, fresh: Quote, begun: readonly EffectRow[]): Quote {
  const kept = begun.map(({ step }) => PART_OF[step]);
  return {
    ...fresh,
    ...Object.fromEntries(kept.map((part) => [part, former[part]])),
  };
}

/** What the domain renews at, from the quote of the run that registered it. Minor units a year. */
function renewalOf(
  runs: Awaited<ReturnType<typeof runsOfPrincipal>>,
  domain: string,
): number | undefined {
  for (const run of runs) {
    const quoted = run.domain === domain ? run.quote?.domain : undefined;
    if (quoted !== undefined && quoted.kind !== 'unavailable') return quoted.renewalMinor;
  }
  return undefined;
}

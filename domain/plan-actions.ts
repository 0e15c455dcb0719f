import { digestOf } from './canonical.js';
import { type ActionDocument, actionSchema, type Params, type Reference } from './documents.js';
import { recordsOf } from './dns-record.js';
import { scriptNameOf } from './domain-name.js';
import { type Digest, effectIdOf, type Instance, type RunId } from './ids.js';
import { OPERATIONS, type OperationName } from './operations.js';
import type { Quote } from './plan.js';
import { type PrincipalRecord, principalReference } from './principal.js';
import type { Request } from './request.js';
import type { StepName } from './steps.js';

/** Which runtime behaviour of the hosting provider a site is deployed under. */
export const COMPATIBILITY_DATE = '2026-04-01';
/** The platform's own account at Stripe; what our credential's account at Cloudflare is called while a new one is made. */
const PLATFORM_STRIPE = 'stripe';
const PLATFORM_CLOUDFLARE = 'cloudflare';

export interface ActionContext {
  readonly instance: Instance;
  readonly runId: RunId;
  readonly request: Request;
  readonly quote: Quote;
  readonly currency: string;
  /** The provider gets to know who it is; the action document only fixes it by digest. */
  readonly principal: PrincipalRecord;
}

/** What a step of the plan is: one action, something that exists already, or nothing at all. */
export type PlannedStep =
  | {
      readonly kind: 'act';
      readonly title: string;
      readonly action: ActionDocument;
      readonly digest: Digest;
    }
  | { readonly kind: 'adopt' | 'skip' | 'read'; readonly title: string };

interface ActionParts {
  readonly operation: OperationName;
  readonly title: string;
  readonly account: string | Reference;
  readonly params: Params;
  readonly costMaxMinor?: number;
  readonly residue: { readonly minor: number; readonly text: string };
}

function act(ctx: ActionContext, parts: ActionParts): PlannedStep {
  const { step, provider, reversal } = OPERATIONS[parts.operation];
  const { instance, runId } = ctx;
  const action = actionSchema.parse({
    type: 'countersign.action.v1',
    instance,
    environment: ctx.request.environment,
    runId,
    step,
    provider,
    account: parts.account,
    operation: parts.operation,
    params: parts.params,
    costMaxMinor: parts.costMaxMinor ?? 0,
    currency: ctx.currency,
    reversal,
    residue: parts.residue,
    effectKey: effectIdOf({ instance, runId, step, kind: 'act' }),
  });
  return { kind: 'act', title: parts.title, action, digest: digestOf(action) };
}

const NO_RESIDUE = { minor: 0, text: 'nothing stays behind' };

/** The provider account that later steps act in: known already, or the one that `link-account` will make. */
function hostingAccount({ quote }: ActionContext): string | Reference {
  return quote.account.kind === 'create'
    ? { fromStep: 'link-account', field: 'accountId' }
    : quote.account.accountId;
}

/** Each step of the run with the exact action it would take. */
export const PLANNERS: Readonly<Record<StepName, (ctx: ActionContext) => PlannedStep>> = {
  'create-customer': (ctx) => {
    const { customer, subscription } = ctx.quote;
    if (subscription.kind === 'none') return { kind: 'skip', title: 'No customer is needed' };
    if (customer.kind === 'adopt')
      return { kind: 'adopt', title: `Use the customer ${customer.customerId} at Stripe` };
    return act(ctx, {
      operation: 'customers.create',
      title: 'Create a customer at Stripe',
      account: PLATFORM_STRIPE,
      params: {
        email: principalReference(ctx.principal, 'email'),
        name: principalReference(ctx.principal, 'name'),
      },
      residue: NO_RESIDUE,
    });
  },
  'link-account': (ctx) => {
    const { account } = ctx.quote;
    if (account.kind === 'create')
      return act(ctx, {
        operation: 'accounts.create',
        title: 'Create a Cloudflare account',
        account: PLATFORM_CLOUDFLARE,
        params: { name: `countersign ${ctx.request.domain.name}`, standalone: true },
        residue: {
          minor: 0,
          text: 'an empty free Cloudflare account stays: only a person can close it',
        },
      });
    if (account.kind === 'link' && account.recorded)
      return { kind: 'adopt', title: `Use the Cloudflare account ${account.accountId}` };
    return act(ctx, {
      operation: 'accounts.link',
      title: `Link the Cloudflare account ${account.accountId}`,
      account: account.accountId,
      // Whose account it has to be: looked at again right before it is taken into use.
      params: { accountId: account.accountId, owner: principalReference(ctx.principal, 'email') },
      residue: NO_RESIDUE,
    });
  },
  'start-subscription': (ctx) => startSubscription(ctx),
  'register-domain': (ctx) => registerDomain(ctx),
  'configure-dns': (ctx) => {
    const { dns, domain } = ctx.quote;
    if (dns.kind === 'none') return { kind: 'skip', title: 'No further DNS records' };
    if (dns.kind === 'present') return { kind: 'adopt', title: 'The DNS records are there' };
    // One record that exists already would refuse the whole batch.
    const records = recordsOf(ctx.request).filter((_, at) => dns.there?.includes(at) !== true);
    const count = records.length;
    return act(ctx, {
      operation: 'dns.records.batch',
      title: `Add ${count} DNS record${count === 1 ? '' : 's'} to ${ctx.request.domain.name}`,
      account: hostingAccount(ctx),
      params: {
        zone:
          domain.kind === 'running'
            ? domain.zoneId
            : { fromStep: 'register-domain', field: 'zoneId' },
        records,
      },
      residue: NO_RESIDUE,
    });
  },
  'deploy-site': (ctx) => deploySite(ctx),
  'attach-domain': (ctx) => {
    const { name } = ctx.request.domain;
    if (ctx.quote.customDomain.kind === 'attached')
      return { kind: 'adopt', title: `${name} leads to the site already` };
    return act(ctx, {
      operation: 'workers.domains.update',
      title: `Let ${name} lead to the site`,
      account: hostingAccount(ctx),
      params: { hostname: name, service: scriptNameOf(name), zone_name: name },
      residue: NO_RESIDUE,
    });
  },
  'verify-site': ({ request }) => ({
    kind: 'read',
    title: `Read everything back and fetch ${request.domain.name}`,
  }),
};

function startSubscription(ctx: ActionContext): PlannedStep {
  const { subscription, customer } = ctx.quote;
  const plan = ctx.request.subscription?.plan ?? '';
  if (subscription.kind === 'none') return { kind: 'skip', title: 'No subscription' };
  if (subscription.kind === 'running')
    return { kind: 'adopt', title: `The subscription ${subscription.subscriptionId} runs already` };
  const { priceId, amountMinor, currency, interval } = subscription;
  return act(
    { ...ctx, currency },
    {
      operation: 'subscriptions.create',
      title: `Start the plan ${plan}`,
      account: PLATFORM_STRIPE,
      params: {
        price: priceId,
        quantity: 1,
        amountMinor,
        currency,
        interval,
        customer:
          customer.kind === 'adopt'
            ? customer.customerId
            : { fromStep: 'create-customer', field: 'customerId' },
      },
      costMaxMinor: amountMinor,
      residue: {
        minor: 0,
        text: 'the charge is refunded in full; what the card payment cost the platform is not given back',
      },
    },
  );
}

function registerDomain(ctx: ActionContext): PlannedStep {
  const { domain } = ctx.quote;
  const { name, years } = ctx.request.domain;
  if (domain.kind === 'running') return { kind: 'adopt', title: `${name} is registered already` };
  // Denied by buildPlan; nothing to plan for what cannot be had.
  if (domain.kind === 'unavailable') return { kind: 'skip', title: `${name} cannot be registered` };
  // The first year has its own price; each further one is paid at the renewal price.
  const costMaxMinor = domain.registrationMinor + (years - 1) * domain.renewalMinor;
  return act(
    { ...ctx, currency: domain.currency },
    {
      operation: 'registrar.registrations.create',
      title: `Register ${name} for ${years} year${years === 1 ? '' : 's'}`,
      account: hostingAccount(ctx),
      params: { domain_name: name, years, auto_renew: false, privacy_mode: 'redaction' },
      costMaxMinor,
      residue: {
        minor: costMaxMinor,
        text: 'the name stays registered and paid for until it expires',
      },
    },
  );
}

function deploySite(ctx: ActionContext): PlannedStep {
  const { site } = ctx.quote;
  const { request } = ctx;
  if (site.kind === 'same') return { kind: 'adopt', title: 'This very site is deployed already' };
  const update = site.kind === 'update';
  return act(ctx, {
    operation: 'workers.scripts.upload',
    title: update ? 'Deploy the new site in place of the running one' : 'Deploy the site',
    account: hostingAccount(ctx),
    params: {
      script: scriptNameOf(request.domain.name),
      bundle: request.bundle,
      compatibility_date: COMPATIBILITY_DATE,
      ...(update ? { previousVersion: site.versionId } : {}),
    },
    residue: update ? { minor: 0, text: 'the former version comes back' } : NO_RESIDUE,
  });
}

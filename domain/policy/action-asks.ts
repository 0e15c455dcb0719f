import { canonicalize } from '../canonical.js';
import type { ActionDocument } from '../documents.js';
import { recordsOf } from '../dns-record.js';
import { scriptNameOf } from '../domain-name.js';
import { formatAmount, parseAmount } from '../money.js';
import type { Request } from '../request.js';
import type { Policy } from './schema.js';
import type { Ask } from './verdict.js';

const deny = (rule: string, text: string): Ask => ({ verdict: 'denied', rule, text });
/** The action departs from what was asked for: no rule of the policy can allow that. */
const notAsked = (text: string): Ask => deny('request', text);

/** What the policy says of the exact parameters that would be sent. */
export function actionAsks(policy: Policy, request: Request, action: ActionDocument): Ask[] {
  const asks =
    action.currency === policy.currency
      ? []
      : [deny('currency', `${action.currency} is charged, only ${policy.currency} is allowed`)];
  switch (action.step) {
    case 'create-customer':
      return [...asks, ...freeOnly(action)];
    case 'link-account':
      return [...asks, ...freeOnly(action), ...accountAsks(request, action)];
    case 'start-subscription':
      return [...asks, ...subscriptionAsks(policy, request, action)];
    case 'register-domain':
      return [...asks, ...registrationAsks(policy, request, action)];
    case 'configure-dns':
      return [...asks, ...freeOnly(action), ...recordAsks(request, action)];
    case 'deploy-site':
      return [...asks, ...freeOnly(action), ...deployAsks(request, action)];
    case 'attach-domain':
      return [...asks, ...freeOnly(action), ...attachAsks(request, action)];
  }
}

function freeOnly({ step, costMaxMinor }: ActionDocument): Ask[] {
  return costMaxMinor === 0 ? [] : [deny('tiers', `${step} must not cost anything`)];
}

function accountAsks(request: Request, { operation, params }: ActionDocument): Ask[] {
  const { account } = request.hosting;
  const links = operation === 'accounts.link';
  return [
    // guard: nobody has verified the principal's address, and who owns the account is known by that alone.
    ...(links ? [BY_ADDRESS] : []),
    ...(account === undefined || (links && params['accountId'] === account)
      ? []
      : [notAsked(`the account ${account} is to be linked`)]),
  ];
}

const BY_ADDRESS: Ask = {
  verdict: 'approve',
  rule: 'link-account',
  text: 'an e-mail address alone links no account: a person says whose it is',
};

function subscriptionAsks(policy: Policy, request: Request, action: ActionDocument): Ask[] {
  const { params } = action;
  const plan = policy.subscriptions.plans.find(({ name }) => name === request.subscription?.plan);
  if (plan === undefined) return [deny('subscriptions.plans', 'the plan is not in the list')];
  const amount = parseAmount(plan.amount);
  const same =
    params['price'] === plan.priceId &&
    params['quantity'] === 1 &&
    params['amountMinor'] === amount.minor &&
    params['currency'] === amount.currency &&
    params['interval'] === plan.interval &&
    action.costMaxMinor <= amount.minor;
  return same
    ? []
    : [
        deny(
          'subscriptions.plans',
          `the price is not ${plan.priceId} at ${plan.amount} a ${plan.interval}, as listed for ${plan.name}`,
        ),
      ];
}

function registrationAsks(policy: Policy, request: Request, action: ActionDocument): Ask[] {
  const asks: Ask[] = [];
  const { params, costMaxMinor, currency } = action;
  if (params['domain_name'] !== request.domain.name || params['years'] !== request.domain.years)
    asks.push(notAsked(`${request.domain.name} for ${request.domain.years} year(s) is asked for`));
  if (params['auto_renew'] !== false)
    asks.push(notAsked('a renewal is a decision of its own: auto_renew must be off'));
  if (costMaxMinor > parseAmount(policy.domains.priceCeiling).minor)
    asks.push(
      deny(
        'domains.priceCeiling',
        `${formatAmount({ minor: costMaxMinor, currency })} is above the ceiling of ${policy.domains.priceCeiling}`,
      ),
    );
  return asks;
}

function recordAsks(request: Request, { params }: ActionDocument): Ask[] {
  const { records } = params;
  const wanted = new Set(recordsOf(request).map((record) => canonicalize(record)));
  const asked =
    Array.isArray(records) &&
    records.length > 0 &&
    records.every((record) => wanted.has(canonicalize(record)));
  return asked ? [] : [notAsked('other DNS records than the request names')];
}

function deployAsks(request: Request, { params }: ActionDocument): Ask[] {
  return params['bundle'] === request.bundle &&
    params['script'] === scriptNameOf(request.domain.name)
    ? []
    : [
        notAsked(
          `the site ${request.bundle} is to be deployed as ${scriptNameOf(request.domain.name)}`,
        ),
      ];
}

function attachAsks(request: Request, { params }: ActionDocument): Ask[] {
  const { name } = request.domain;
  return params['hostname'] === name &&
    params['zone_name'] === name &&
    params['service'] === scriptNameOf(name)
    ? []
    : [notAsked(`${name} is to be attached to its own site`)];
}

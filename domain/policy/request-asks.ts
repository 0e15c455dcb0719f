import { domainNameProblem, suffixOf } from '../domain-name.js';
import { parseAmount } from '../money.js';
import type { Request } from '../request.js';
import { nameFindings } from './names.js';
import type { Policy } from './schema.js';
import type { Ask } from './verdict.js';

const known = new WeakMap<Policy, WeakMap<Request, readonly Ask[]>>();

/**
 * What the policy says of the request itself, before any price is known. Said once of the same two documents, which
 * nobody changes: each of a run's effects asks for it, and the likeness of names takes its time.
 */
export function requestAsks(policy: Policy, request: Request): readonly Ask[] {
  const ofPolicy = known.get(policy) ?? new WeakMap<Request, readonly Ask[]>();
  known.set(policy, ofPolicy);
  const asks = ofPolicy.get(request) ?? judgeRequest(policy, request);
  ofPolicy.set(request, asks);
  return asks;
}

function judgeRequest(policy: Policy, request: Request): readonly Ask[] {
  const denials: Ask[] = [];
  const deny = (rule: string, text: string): void => {
    denials.push({ verdict: 'denied', rule, text });
  };
  const { domains } = policy;
  const { name, years } = request.domain;
  if (!policy.environments.includes(request.environment))
    deny('environments', `${request.environment} is not allowed`);
  if (parseAmount(request.budget).currency !== policy.currency)
    deny('currency', `the budget is not in ${policy.currency}`);
  if (!policy.hosting.plans.includes(request.hosting.plan))
    deny('hosting.plans', `the hosting plan ${request.hosting.plan} is not in the list`);
  const wanted = request.subscription?.plan;
  if (wanted !== undefined && !policy.subscriptions.plans.some((plan) => plan.name === wanted))
    deny('subscriptions.plans', `the plan ${wanted} is not in the list`);
  const asks: Ask[] = nameFindings({ name, goal: request.goal }, domains).map((finding) => ({
    verdict: finding.verdict === 'deny' ? 'denied' : 'sign-off',
    rule: finding.rule,
    text: finding.text,
  }));
  if (!domains.names.includes(name)) {
    if (domainNameProblem(name) !== undefined)
      deny('domains.names', `${name} is internationalised and not listed letter by letter`);
    if (!domains.tlds.includes(suffixOf(name)))
      deny('domains.tlds', `names under .${suffixOf(name)} are not in the list`);
  }
  if (years > domains.yearsMax)
    deny('domains.yearsMax', `${years} years, at most ${domains.yearsMax} are allowed`);
  for (const { type } of request.dns)
    if (!policy.dns.types.includes(type)) deny('dns.types', `${type} records are not in the list`);
  if (request.dns.length > policy.dns.recordsMax)
    deny(
      'dns.recordsMax',
      `${request.dns.length} records, at most ${policy.dns.recordsMax} are allowed`,
    );
  return [...asks, ...denials];
}

import { buildPlan, type PlanInput } from '../../domain/build-plan.js';
import { parseInstance, parseRunId } from '../../domain/ids.js';
import type { Plan, Quote } from '../../domain/plan.js';
import type { PrincipalRecord } from '../../domain/principal.js';
import { builtInPolicy } from '../../domain/policy/built-in.js';
import { type Policy, policyDigestOf } from '../../domain/policy/schema.js';
import { parseRequest, type Request } from '../../domain/request.js';

export const instance = parseInstance('0f1e2d3c4b5a69788796a5b4c3d2e1f0');
export const bundle = `sha256:${'a'.repeat(64)}`;
export const policy = builtInPolicy();
/** When the quotes below were made. */
export const nowMs = Date.parse('2026-11-21T09:00:00.000Z');

/** The request of the README, with changes. */
export function requestWith(changes: Record<string, unknown> = {}): Request {
  return parseRequest({
    goal: 'Put the Superseal landing page online',
    principal: 'owner@example.com',
    agent: 'launch-agent',
    environment: 'production',
    subscription: { plan: 'starter' },
    hosting: { plan: 'free' },
    domain: { name: 'superseal.club', years: 1 },
    dns: [],
    bundle,
    budget: '60.00 USD',
    ...changes,
  });
}

/** A first run: nothing exists, everything is for sale. */
export const firstQuote: Quote = {
  quotedAt: '2026-11-21T09:00:00.000Z',
  customer: { kind: 'create' },
  account: { kind: 'create' },
  subscription: {
    kind: 'create',
    priceId: 'price_starter_monthly',
    amountMinor: 1900,
    currency: 'USD',
    interval: 'month',
  },
  domain: { kind: 'register', registrationMinor: 1120, renewalMinor: 1420, currency: 'USD' },
  site: { kind: 'first' },
  customDomain: { kind: 'attach' },
  dns: { kind: 'none' },
};

/** A second run for the same principal: all is there but the new site. */
export const updateQuote: Quote = {
  quotedAt: '2026-11-21T09:00:00.000Z',
  customer: { kind: 'adopt', customerId: 'cus_1', by: 'marker' },
  account: { kind: 'link', accountId: 'b'.repeat(32), name: 'ours', recorded: true },
  subscription: {
    kind: 'running',
    subscriptionId: 'sub_1',
    amountMinor: 1900,
    currency: 'USD',
    interval: 'month',
  },
  domain: { kind: 'running', zoneId: 'c'.repeat(32), renewalMinor: 1420, currency: 'USD' },
  site: {
    kind: 'update',
    scriptName: 'cs-superseal-club',
    versionId: 'v1',
    liveBundle: `sha256:${'d'.repeat(64)}`,
  },
  customDomain: { kind: 'attached' },
  dns: { kind: 'none' },
};

/** As the register holds the one on whose behalf the runs act. */
export const owner: PrincipalRecord = {
  principalId: 'pr_owner',
  email: 'owner@example.com',
  name: 'Owner',
  salt: '5a17'.repeat(16),
};

export function planInput(
  changes: Partial<PlanInput> & { request?: Request; quote?: Quote; policy?: Policy } = {},
): PlanInput {
  const inForce = changes.policy ?? policy;
  return {
    instance,
    runId: parseRunId('launch-7'),
    revision: 1,
    request: requestWith(),
    quote: firstQuote,
    policy: inForce,
    policyVersion: 1,
    policyDigest: policyDigestOf(inForce),
    principal: owner,
    acceptedTerms: [],
    ...changes,
  };
}

export function planWith(changes: Parameters<typeof planInput>[0] = {}): Plan {
  return buildPlan(planInput(changes));
}

import { digestOfBytes, utf8 } from '../canonical.js';
import type { Rule } from '../documents.js';
import { parsePolicy, type Policy } from './schema.js';
import { SERVICES } from './services.js';

/** The sandbox's own terms: what the built-in policy, which never runs against the real providers unread, has persons accept. */
export const SANDBOX_TERMS =
  'Terms of the Countersign sandbox, version 1. Accounts, charges and domain names made here exist on this machine only. ' +
  'Nothing is owed, nothing is registered with anybody, and everything may be deleted at any time.\n';

const PROTECTED = [
  'amazon.com',
  'apple.com',
  'cloudflare.com',
  'github.com',
  'google.com',
  'microsoft.com',
  'paypal.com',
  'stripe.com',
];

const people = (count: number): Rule['allOf'] => [{ group: 'approvers', count }];

const TIERS_ASKED = [
  { step: 'create-customer', tier: 'sign-off' },
  { step: 'link-account', tier: 'sign-off' },
  { step: 'start-subscription', tier: 'sign-off' },
  { step: 'register-domain', tier: 'sign-off' },
  { step: 'configure-dns', tier: 'approve' },
  { step: 'attach-domain', tier: 'approve' },
  { step: 'deploy-site', environment: 'development', tier: 'autonomous' },
  { step: 'deploy-site', environment: 'staging', tier: 'approve' },
  { step: 'deploy-site', environment: 'production', tier: 'sign-off' },
  { step: 'attach-domain', environment: 'production', tier: 'sign-off' },
  { step: '*', amountAbove: '0.00 USD', tier: 'sign-off' },
];

const APPROVALS = [
  { tier: 'approve', allOf: people(1) },
  { tier: 'sign-off', allOf: people(1) },
  { tier: 'sign-off', step: 'register-domain', environment: 'production', allOf: people(2) },
  {
    tier: 'sign-off',
    environment: 'production',
    amountAbove: '50.00 USD',
    allOf: people(2),
  },
];

export interface BuiltInOptions {
  /** One person governs: may approve what their own agent asked for. */
  readonly solo?: boolean;
  /** Replaces single top-level members of the document, e.g. `terms` when going live. */
  readonly override?: Partial<Policy>;
}

/**
 * The policy in force until somebody activates one of their own: listed plans and TLDs, 100.00 USD a month for each
 * principal and provider, sign-off for accounts, terms, money, domains and production, two persons for a domain or more
 * than 50.00 USD in production. In the very form a policy file has.
 */
export function builtInPolicy({ solo = false, override = {} }: BuiltInOptions = {}): Policy {
  return parsePolicy({
    format: 1,
    name: 'built-in',
    currency: 'USD',
    solo,
    environments: ['development', 'staging', 'production'],
    services: SERVICES.map((service) => ({ service })),
    subscriptions: {
      plans: [
        {
          name: 'starter',
          priceId: 'price_starter_monthly',
          amount: '19.00 USD',
          interval: 'month',
        },
        { name: 'growth', priceId: 'price_growth_monthly', amount: '49.00 USD', interval: 'month' },
      ],
    },
    hosting: { plans: ['free'] },
    domains: {
      tlds: ['club', 'com', 'net', 'org', 'dev'],
      names: [],
      protected: PROTECTED,
      goal: 'deny',
      nearNames: 'deny',
      priceCeiling: '40.00 USD',
      yearsMax: 2,
    },
    dns: { types: ['A', 'AAAA', 'CNAME', 'TXT'], recordsMax: 20 },
    caps: {
      organisation: '1000.00 USD',
      principal: '200.00 USD',
      agent: '200.00 USD',
      provider: '500.00 USD',
      principalProvider: '100.00 USD',
      run: '100.00 USD',
    },
    counts: { operationsPerRun: 20, openRunsPerAgent: 20, runsPerHour: 20 },
    tiers: TIERS_ASKED,
    approvals: APPROVALS,
    // One person at sign-off, whatever is at stake: else whoever governs alone could never write rules of their own.
    ...(solo ? { activation: { allOf: people(1) } } : {}),
    excludePrincipal: false,
    expiry: '24h',
    bundleIrreversible: [],
    terms: [
      {
        provider: 'cloudflare',
        url: 'https://sandbox.invalid/terms/cloudflare',
        version: '1',
        digest: digestOfBytes(utf8(SANDBOX_TERMS)),
      },
    ],
    groups: [],
    ...override,
  });
}

import type { CloudflareWorld } from '../../domain/reconcile/cloudflare.js';
import { shortForm, type OurEffect, type OurRecords } from '../../domain/reconcile/records.js';
import type { StripeWorld } from '../../domain/reconcile/stripe.js';
import type { EffectStep } from '../../domain/steps.js';

/** One run on record, and what both providers hold when everything is as it should be. */

export const INSTANCE = 'a'.repeat(32);
export const NOW = Date.UTC(2026, 10, 21);
export const markOf = (run: string, step: string): string => `${INSTANCE}/${run}/${step}/act`;

export function effect(step: EffectStep, of: Partial<OurEffect>): OurEffect {
  return {
    effectId: markOf(of.runId ?? 'launch', step),
    runId: 'launch',
    step,
    operation: step,
    state: 'stands',
    fields: {},
    params: {},
    capturedMinor: 0,
    refundedMinor: 0,
    currency: 'USD',
    account: 'acc',
    ...of,
  };
}

const RECORD = { type: 'TXT', name: 'superseal.club', content: 'hello', ttl: 300 };
export const EFFECTS: readonly OurEffect[] = [
  effect('create-customer', { object: 'cus_1' }),
  effect('start-subscription', {
    object: 'sub_1',
    params: {
      price: 'price_1',
      quantity: 1,
      amountMinor: 1_900,
      currency: 'USD',
      interval: 'month',
    },
    capturedMinor: 1_900,
    renewalMinor: 1_900,
  }),
  effect('register-domain', {
    object: 'superseal.club',
    params: { domain_name: 'superseal.club' },
    capturedMinor: 1_120,
  }),
  effect('configure-dns', {
    object: 'zone/x',
    fields: { zoneId: 'zone' },
    params: { records: [RECORD] },
  }),
  effect('deploy-site', {
    object: 'cs/x',
    params: { script: 'cs', bundle: 'sha256:1' },
  }),
  effect('attach-domain', { object: 'x', params: { hostname: 'superseal.club', service: 'cs' } }),
];

export const records = (change: Partial<OurRecords> = {}): OurRecords => ({
  instance: INSTANCE,
  effects: EFFECTS,
  accounts: new Set(['cus_adopted']),
  tokens: new Map([[`${INSTANCE}/launch/dns/1`, 'live'] as const]),
  nowMs: NOW,
  ...change,
});

export const subscription: StripeWorld['subscriptions'][number] = {
  id: 'sub_1',
  marker: markOf('launch', 'start-subscription'),
  customer: 'cus_1',
  status: 'active',
  endsAtPeriodEnd: false,
  paused: false,
  items: [
    { price: 'price_1', quantity: 1, amountMinor: 1_900, currency: 'USD', interval: 'month' },
  ],
  periodEndMs: NOW + 1,
};
export const invoice: StripeWorld['invoices'][number] = {
  id: 'in_1',
  subscription: 'sub_1',
  reason: 'subscription_create',
  status: 'paid',
  attempted: true,
  paidMinor: 1_900,
  createdMs: NOW,
  paidAtMs: NOW,
  payments: ['pi_1'],
};
export const charge: StripeWorld['charges'][number] = {
  id: 'ch_1',
  customer: 'cus_1',
  payment: 'pi_1',
  amountMinor: 1_900,
  currency: 'USD',
  succeeded: true,
};

export const STRIPE: StripeWorld = {
  customers: [
    { id: 'cus_1', marker: markOf('launch', 'create-customer') },
    { id: 'cus_adopted', marker: undefined },
  ],
  subscriptions: [subscription],
  invoices: [invoice],
  charges: [charge],
  refunds: [],
  disputes: [],
};
export const CLOUDFLARE: CloudflareWorld = {
  account: 'acc',
  zones: [{ id: 'zone', name: 'superseal.club' }],
  registrations: [{ domain: 'superseal.club', status: 'active', autoRenew: false }],
  records: [
    {
      id: 'rec_1',
      zone: 'zone',
      comment: `countersign ${shortForm(markOf('launch', 'configure-dns'))}`,
      managed: false,
      ...RECORD,
    },
    {
      id: 'rec_2',
      zone: 'zone',
      type: 'AAAA',
      name: 'superseal.club',
      content: '100::',
      ttl: 1,
      comment: undefined,
      managed: true,
    },
  ],
  scripts: [{ name: 'cs', marker: markOf('launch', 'deploy-site'), bundle: 'sha256:1' }],
  customDomains: [{ hostname: 'superseal.club', service: 'cs' }],
  tokens: [{ id: 'tok_1', name: `${INSTANCE}/launch/dns/1`, active: true }],
};

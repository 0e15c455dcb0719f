import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { compareCloudflare, type CloudflareWorld } from '../../domain/reconcile/cloudflare.js';
import type { Compared, OurEffect, OurRecords } from '../../domain/reconcile/records.js';
import { compareStripe, type StripeWorld } from '../../domain/reconcile/stripe.js';
import type { EffectStep } from '../../domain/steps.js';
import {
  charge,
  CLOUDFLARE,
  effect,
  EFFECTS,
  INSTANCE,
  invoice,
  markOf,
  NOW,
  records,
  STRIPE,
  subscription,
} from './reconcile-worlds.js';

const all = (
  stripe: StripeWorld = STRIPE,
  cloudflare: CloudflareWorld = CLOUDFLARE,
  of: OurRecords = records(),
): Compared => {
  const [one, other] = [compareStripe(of, stripe), compareCloudflare(of, cloudflare)];
  return {
    findings: [...one.findings, ...other.findings],
    unmanaged: [...one.unmanaged, ...other.unmanaged],
    renewed: one.renewed,
    ended: one.ended,
  };
};
const names = ({ findings }: Compared): string[] => findings.map(({ name }) => name);

test('a world that is as it should be gives nothing', () => {
  expect(all()).toMatchObject({ findings: [], unmanaged: [], renewed: [], ended: [] });
});

type Worlds = readonly [StripeWorld, CloudflareWorld?, OurRecords?];
const stripe = (change: Partial<StripeWorld>): Worlds => [{ ...STRIPE, ...change }];
const cloudflare = (change: Partial<CloudflareWorld>, of: OurRecords = records()): Worlds => [
  STRIPE,
  { ...CLOUDFLARE, ...change },
  of,
];
const changedSub = (change: Partial<typeof subscription>): Worlds =>
  stripe({ subscriptions: [{ ...subscription, ...change }] });
const over = (step: EffectStep, change: Partial<OurEffect>): OurRecords =>
  records({
    effects: EFFECTS.map((one) =>
      one.step === step ? { ...one, state: 'over', outcome: 'reversed', ...change } : one,
    ),
  });
const [OUR_RECORD] = CLOUDFLARE.records;

const PLANTED: Readonly<Record<string, readonly [Worlds, readonly string[]]>> = {
  'a customer of no effect': [
    stripe({ customers: [...STRIPE.customers, { id: 'cus_9', marker: markOf('x', 'y') }] }),
    ['orphan/stripe/customer/cus_9'],
  ],
  'a second customer of one effect': [
    stripe({
      customers: [
        ...STRIPE.customers,
        { id: 'cus_2', marker: markOf('launch', 'create-customer') },
      ],
    }),
    ['double/stripe/customer/cus_2'],
  ],
  'a customer that was deleted': [
    stripe({ customers: [] }),
    ['thing-missing/stripe/customer/cus_1'],
  ],
  'a subscription that was taken back and runs': [
    [STRIPE, CLOUDFLARE, over('start-subscription', {})],
    ['orphan/stripe/subscription/sub_1'],
  ],
  'a subscription of another quantity': [
    changedSub({ items: [{ ...subscription.items[0]!, quantity: 2 }] }),
    ['subscription-changed/stripe/sub_1'],
  ],
  'a subscription that was cancelled': [
    changedSub({ status: 'canceled' }),
    ['subscription-changed/stripe/sub_1'],
  ],
  'a subscription that cannot be charged': [
    changedSub({ status: 'past_due' }),
    ['payment-failed/stripe/subscription/sub_1'],
  ],
  'a renewal that did not come': [
    changedSub({ periodEndMs: NOW - 2 * 86_400_000 }),
    ['renewal-missed/stripe/sub_1'],
  ],
  'a first charge above what is booked': [
    stripe({ invoices: [{ ...invoice, paidMinor: 1_901 }] }),
    ['amount-differs/stripe/in_1'],
  ],
  'a renewal of another amount': [
    stripe({
      invoices: [
        invoice,
        { ...invoice, id: 'in_2', reason: 'subscription_cycle', paidMinor: 2_500, payments: [] },
      ],
    }),
    ['amount-differs/stripe/in_2'],
  ],
  'an invoice besides the renewals': [
    stripe({ invoices: [invoice, { ...invoice, id: 'in_3', reason: 'manual', payments: [] }] }),
    ['orphan-money/stripe/invoice/in_3'],
  ],
  'a charge of our customer that nothing accounts for': [
    stripe({ charges: [charge, { ...charge, id: 'ch_9', payment: 'pi_9' }] }),
    ['orphan-money/stripe/charge/ch_9'],
  ],
  'a refund that is booked and is not there': [
    [
      { ...STRIPE, subscriptions: [{ ...subscription, status: 'canceled' }] },
      CLOUDFLARE,
      over('start-subscription', { refundedMinor: 1_900 }),
    ],
    ['refund-missing/stripe/sub_1'],
  ],
  'a refund that failed': [
    [
      {
        ...STRIPE,
        subscriptions: [{ ...subscription, status: 'canceled' }],
        refunds: [{ id: 're_1', payment: 'pi_1', amountMinor: 1_900, status: 'failed' }],
      },
      CLOUDFLARE,
      over('start-subscription', { refundedMinor: 1_900 }),
    ],
    ['refund-failed/stripe/re_1'],
  ],
  'a dispute': [
    stripe({
      disputes: [
        {
          id: 'dp_1',
          charge: 'ch_1',
          payment: 'pi_1',
          amountMinor: 1_900,
          status: 'needs_response',
        },
      ],
    }),
    ['dispute/stripe/dp_1'],
  ],
  'a record of another content': [
    cloudflare({ records: [{ ...OUR_RECORD!, content: 'other' }] }),
    ['dns-changed/cloudflare/zone/TXT superseal.club'],
  ],
  'a record that is gone': [
    cloudflare({ records: [] }),
    ['dns-changed/cloudflare/zone/TXT superseal.club'],
  ],
  'a record of no effect': [
    cloudflare({
      records: [
        ...CLOUDFLARE.records,
        { ...OUR_RECORD!, id: 'rec_9', comment: `countersign ${'f'.repeat(32)}` },
      ],
    }),
    ['orphan/cloudflare/dns-record/rec_9'],
  ],
  'a Worker of another version': [
    cloudflare({ scripts: [{ name: 'cs', marker: undefined, bundle: undefined }] }),
    ['site-changed/cloudflare/acc/cs'],
  ],
  'a Worker with our mark and other bytes': [
    cloudflare({ scripts: [{ ...CLOUDFLARE.scripts[0]!, bundle: 'sha256:2' }] }),
    ['site-changed/cloudflare/acc/cs'],
  ],
  'a Worker that is gone': [
    cloudflare({ scripts: [] }),
    ['thing-missing/cloudflare/worker/acc/cs'],
  ],
  'a Worker that was taken back': [
    cloudflare({}, over('deploy-site', {})),
    ['orphan/cloudflare/worker/acc/cs'],
  ],
  'a hostname that leads elsewhere': [
    cloudflare({ customDomains: [{ hostname: 'superseal.club', service: 'other' }] }),
    ['domain-detached/cloudflare/superseal.club'],
  ],
  'a domain that renews by itself': [
    cloudflare({
      registrations: [{ domain: 'superseal.club', status: 'active', autoRenew: true }],
    }),
    ['domain-renews/cloudflare/superseal.club'],
  ],
  'a domain that has expired': [
    cloudflare({
      registrations: [{ domain: 'superseal.club', status: 'expired', autoRenew: false }],
    }),
    ['domain-gone/cloudflare/superseal.club'],
  ],
  'a domain that was transferred': [
    cloudflare({ registrations: [], zones: [] }),
    ['domain-gone/cloudflare/superseal.club'],
  ],
  'a token of ours that nobody has on record': [
    cloudflare({
      tokens: [{ id: 'tok_9', name: `${INSTANCE}/launch/dns/9`, active: true }],
    }),
    ['orphan/cloudflare/token/tok_9'],
  ],
};

test.each(Object.entries(PLANTED))('%s is found by name', (_what, [worlds, wanted]) => {
  expect(names(all(...worlds))).toEqual(wanted);
});

test('nothing is concluded of what is moving', () => {
  const moving = records({ effects: EFFECTS.map((one) => ({ ...one, state: 'moving' })) });
  const empty: StripeWorld = {
    ...STRIPE,
    customers: [],
    subscriptions: [],
    invoices: [],
    charges: [],
  };
  expect(names(all(STRIPE, CLOUDFLARE, moving))).toEqual([]);
  const gone = { ...CLOUDFLARE, registrations: [], records: [], scripts: [], customDomains: [] };
  expect(names(all(empty, gone, moving))).toEqual([]);
});

test('what bears no marker of this installation is listed, never a finding', () => {
  const foreign = fc.option(
    fc.oneof(
      fc.string(),
      fc.constant(`${'b'.repeat(32)}/launch/create-customer/act`),
      fc.constant('countersign'),
    ),
    { nil: undefined },
  );
  fc.assert(
    fc.property(fc.array(foreign, { maxLength: 5 }), (markers) => {
      const world = all(
        {
          ...STRIPE,
          customers: [
            ...STRIPE.customers,
            ...markers.map((marker, at) => ({ id: `cus_x${at}`, marker })),
          ],
          subscriptions: [
            subscription,
            ...markers.map((marker, at) => ({ ...subscription, id: `sub_x${at}`, marker })),
          ],
          charges: [
            charge,
            ...markers.map((_, at) => ({
              ...charge,
              id: `ch_x${at}`,
              customer: `cus_x${at}`,
              payment: undefined,
            })),
          ],
        },
        {
          ...CLOUDFLARE,
          scripts: [
            ...CLOUDFLARE.scripts,
            ...markers.map((marker, at) => ({ name: `w${at}`, marker, bundle: undefined })),
          ],
          tokens: markers.map((marker, at) => ({ id: `t${at}`, name: marker ?? '', active: true })),
        },
      );
      expect(world.findings).toEqual([]);
      expect(world.unmanaged).toHaveLength(markers.length * 5);
    }),
  );
});

test('a later run holds what an earlier one made', () => {
  const later = effect('deploy-site', {
    runId: 'update',
    object: 'cs/y',
    params: { script: 'cs', bundle: 'sha256:2' },
  });
  const both = records({ effects: [...EFFECTS, later] });
  const scripts = [{ name: 'cs', marker: later.effectId, bundle: 'sha256:2' }];
  expect(names(all(STRIPE, { ...CLOUDFLARE, scripts }, both))).toEqual([]);
  expect(names(all(STRIPE, CLOUDFLARE, both))).toEqual(['site-changed/cloudflare/acc/cs']);
});

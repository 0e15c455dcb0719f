import type { Metadata } from './customer-objects.js';

export interface Product {
  id: string;
  object: 'product';
  active: boolean;
  created: number;
  default_price: null;
  description: string | null;
  images: string[];
  livemode: false;
  marketing_features: never[];
  metadata: Metadata;
  name: string;
  package_dimensions: null;
  shippable: null;
  statement_descriptor: null;
  tax_code: null;
  tax_details: null;
  type: 'service';
  unit_label: null;
  updated: number;
  url: null;
}

export function newProduct(id: string, created: number, name: string): Product {
  return {
    id,
    object: 'product',
    active: true,
    created,
    default_price: null,
    description: null,
    images: [],
    livemode: false,
    marketing_features: [],
    metadata: {},
    name,
    package_dimensions: null,
    shippable: null,
    statement_descriptor: null,
    tax_code: null,
    tax_details: null,
    type: 'service',
    unit_label: null,
    updated: created,
    url: null,
  };
}

export type Interval = 'day' | 'week' | 'month' | 'year';

export interface Price {
  id: string;
  object: 'price';
  active: boolean;
  billing_scheme: 'per_unit';
  created: number;
  currency: string;
  custom_unit_amount: null;
  livemode: false;
  lookup_key: string | null;
  metadata: Metadata;
  nickname: string | null;
  product: string;
  recurring: {
    interval: Interval;
    interval_count: number;
    meter: null;
    trial_period_days: null;
    usage_type: 'licensed';
  } | null;
  tax_behavior: 'unspecified';
  tiers_mode: null;
  transform_quantity: null;
  type: 'recurring' | 'one_time';
  unit_amount: number;
  unit_amount_decimal: string;
}

interface GivenPrice {
  readonly product: string;
  readonly currency: string;
  readonly unitAmount: number;
  readonly interval: Interval | null;
  readonly intervalCount?: number | undefined;
  readonly lookupKey?: string | null | undefined;
  readonly nickname?: string | null | undefined;
  readonly active?: boolean | undefined;
  readonly metadata?: Metadata | undefined;
}

/** A price per unit; amounts in cents. */
export function newPrice(id: string, created: number, given: GivenPrice): Price {
  const { interval } = given;
  return {
    id,
    object: 'price',
    active: given.active ?? true,
    billing_scheme: 'per_unit',
    created,
    currency: given.currency,
    custom_unit_amount: null,
    livemode: false,
    lookup_key: given.lookupKey ?? null,
    metadata: given.metadata ?? {},
    nickname: given.nickname ?? null,
    product: given.product,
    recurring:
      interval === null
        ? null
        : {
            interval,
            interval_count: given.intervalCount ?? 1,
            meter: null,
            trial_period_days: null,
            usage_type: 'licensed',
          },
    tax_behavior: 'unspecified',
    tiers_mode: null,
    transform_quantity: null,
    type: interval === null ? 'one_time' : 'recurring',
    unit_amount: given.unitAmount,
    unit_amount_decimal: String(given.unitAmount),
  };
}

/**
 * Sets what a price costs, in cents. The real API has no such call: a person's doing, or a
 * fault.
 */
export function setAmount(price: Price, amountMinor: number): void {
  price.unit_amount = amountMinor;
  price.unit_amount_decimal = String(amountMinor);
}

const DAY_S = 86_400;

/** When a period that starts at `from` ends, in seconds. A short month ends on its last day. */
export function periodEnd(from: number, recurring: NonNullable<Price['recurring']>): number {
  const { interval, interval_count: count } = recurring;
  if (interval === 'day') return from + count * DAY_S;
  if (interval === 'week') return from + count * 7 * DAY_S;
  const months = interval === 'month' ? count : count * 12;
  const start = new Date(from * 1_000);
  const end = new Date(start);
  end.setUTCDate(1);
  end.setUTCMonth(end.getUTCMonth() + months);
  const lastDay = new Date(Date.UTC(end.getUTCFullYear(), end.getUTCMonth() + 1, 0)).getUTCDate();
  end.setUTCDate(Math.min(start.getUTCDate(), lastDay));
  return end.getTime() / 1_000;
}

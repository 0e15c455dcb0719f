import type { World } from '../core/world.js';
import type { Subscription } from './billing-objects.js';
import { newPrice, newProduct } from './catalogue-objects.js';
import type { Price, Product } from './catalogue-objects.js';
import type {
  Card,
  Customer,
  DeletedCustomer,
  PaymentMethod,
  SetupIntent,
} from './customer-objects.js';
import type { Invoice, InvoicePayment } from './invoice-objects.js';
import type {
  BalanceTransaction,
  Charge,
  CreditNote,
  Dispute,
  PaymentIntent,
  Refund,
} from './payment-objects.js';

/** What the provider remembers of a mutating request under its idempotency key. */
export interface StoredAnswer {
  readonly key: string;
  readonly method: string;
  readonly path: string;
  readonly paramsHash: string;
  readonly status: number;
  readonly body: unknown;
  readonly requestId: string;
  /** When the key was first used, in ms of the world's clock. */
  readonly createdAt: number;
}

/** Objects by id, in the order they were made. */
export interface Collections {
  customers: Record<string, Customer | DeletedCustomer>;
  paymentMethods: Record<string, PaymentMethod>;
  setupIntents: Record<string, SetupIntent>;
  products: Record<string, Product>;
  prices: Record<string, Price>;
  subscriptions: Record<string, Subscription>;
  invoices: Record<string, Invoice>;
  invoicePayments: Record<string, InvoicePayment>;
  paymentIntents: Record<string, PaymentIntent>;
  charges: Record<string, Charge>;
  refunds: Record<string, Refund>;
  creditNotes: Record<string, CreditNote>;
  balanceTransactions: Record<string, BalanceTransaction>;
  disputes: Record<string, Dispute>;
}

/** Everything the stand-in keeps of one world. Times in ms unless an API object says seconds. */
export interface StripeState extends Collections {
  answers: Record<string, StoredAnswer>;
  /** Until when an object is hidden from gets and lists, by id. */
  hiddenUntil: Record<string, number>;
  /** The idempotency key under which a charge was made, by charge id. */
  chargeKeys: Record<string, string>;
  /** How a card behaves, by payment method id. */
  cards: Record<string, Card>;
  /** The card that a person adds to each new customer at once. */
  standingCard: Card | null;
  choices: Record<string, string>;
  nextNumber: number;
}

/** The prices a new world has: amounts in cents a month. */
const PLANS = [
  { key: 'starter', amountMinor: 1_900, name: 'Starter' },
  { key: 'growth', amountMinor: 4_900, name: 'Growth' },
] as const;

function newState(world: World): StripeState {
  const created = Math.floor(world.now() / 1_000);
  const state: StripeState = {
    customers: {},
    paymentMethods: {},
    setupIntents: {},
    products: {},
    prices: {},
    subscriptions: {},
    invoices: {},
    invoicePayments: {},
    paymentIntents: {},
    charges: {},
    refunds: {},
    creditNotes: {},
    balanceTransactions: {},
    disputes: {},
    answers: {},
    hiddenUntil: {},
    chargeKeys: {},
    cards: {},
    standingCard: null,
    choices: {},
    nextNumber: 1,
  };
  for (const { key, amountMinor, name } of PLANS) {
    addPlan(state, { key, amountMinor, name, currency: 'usd', created });
  }
  return state;
}

/**
 * Puts a monthly plan into the catalogue: a product and a price under fixed ids. Cents,
 * seconds.
 */
export function addPlan(
  state: StripeState,
  plan: { key: string; name: string; amountMinor: number; currency: string; created: number },
): Price {
  const product = newProduct(`prod_${plan.key}`, plan.created, plan.name);
  const price = newPrice(`price_${plan.key}_monthly`, plan.created, {
    product: product.id,
    currency: plan.currency,
    unitAmount: plan.amountMinor,
    interval: 'month',
    lookupKey: plan.key,
    nickname: `${plan.name}, monthly`,
  });
  state.products[product.id] = product;
  state.prices[price.id] = price;
  return price;
}

/** The stand-in's state in a world, made on first use. */
export function stripeState(world: World): StripeState {
  return world.slot('stripe', () => newState(world));
}

/** Seconds of the world's clock, as the API counts. */
export function seconds(world: World): number {
  return Math.floor(world.now() / 1_000);
}

/** A living customer of that id, or undefined. */
export function livingCustomer(state: StripeState, id: string): Customer | undefined {
  const found = state.customers[id];
  return found === undefined || 'deleted' in found ? undefined : found;
}

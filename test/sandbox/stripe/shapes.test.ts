import { expect, test } from '@jest/globals';
import type Stripe from 'stripe';
import type { Subscription } from '../../../sandbox/stripe/billing-objects.js';
import type { Price, Product } from '../../../sandbox/stripe/catalogue-objects.js';
import type {
  Customer,
  PaymentMethod,
  SetupIntent,
} from '../../../sandbox/stripe/customer-objects.js';
import type {
  Invoice,
  InvoiceLine,
  InvoicePayment,
} from '../../../sandbox/stripe/invoice-objects.js';
import type {
  BalanceTransaction,
  Charge,
  CreditNote,
  Dispute,
  PaymentIntent,
  Refund,
} from '../../../sandbox/stripe/payment-objects.js';

type RequiredKeys<T> = {
  [K in keyof T]-?: object extends Pick<T, K> ? never : K;
}[keyof T];
/** `true`, or the members that the SDK says are always there and ours has not. */
type Complete<Ours, Theirs> = [Exclude<RequiredKeys<Theirs>, keyof Ours>] extends [never]
  ? true
  : Exclude<RequiredKeys<Theirs>, keyof Ours>;
/** Members whose wire form is plain JSON where the SDK's type is a class, or reaches far down. */
type Opaque =
  | 'card'
  | 'evidence'
  | 'evidence_details'
  | 'fraud_details'
  | 'last_payment_error'
  | 'lines'
  | 'items'
  | 'next_action'
  | 'outcome'
  | 'payment_method_details'
  | 'destination_details'
  | 'pricing'
  | 'quantity_decimal'
  | 'unit_amount_decimal'
  | 'balance_transactions'
  | 'pause_collection'
  | 'cancellation_details'
  | 'cancellation_reason';
type Shared<Ours, Theirs> = Exclude<keyof Ours & keyof Theirs, Opaque>;
/** `true`, or the members whose values the SDK's type does not allow. */
type Fits<Ours, Theirs> = {
  [K in Shared<Ours, Theirs>]-?: Ours[K] extends Theirs[K] ? never : K;
}[Shared<Ours, Theirs>] extends never
  ? true
  : {
      [K in Shared<Ours, Theirs>]-?: Ours[K] extends Theirs[K] ? never : K;
    }[Shared<Ours, Theirs>];

// The compiler is the test: `npm run types` fails, naming the member, where a shape falls short.
const complete: [
  Complete<Customer, Stripe.Customer>,
  Complete<PaymentMethod, Stripe.PaymentMethod>,
  Complete<SetupIntent, Stripe.SetupIntent>,
  Complete<Product, Stripe.Product>,
  Complete<Price, Stripe.Price>,
  Complete<Subscription, Stripe.Subscription>,
  Complete<Invoice, Stripe.Invoice>,
  Complete<InvoiceLine, Stripe.InvoiceLineItem>,
  Complete<InvoicePayment, Stripe.InvoicePayment>,
  Complete<PaymentIntent, Stripe.PaymentIntent>,
  Complete<Charge, Stripe.Charge>,
  Complete<Refund, Stripe.Refund>,
  Complete<CreditNote, Stripe.CreditNote>,
  Complete<BalanceTransaction, Stripe.BalanceTransaction>,
  Complete<Dispute, Stripe.Dispute>,
] = [true, true, true, true, true, true, true, true, true, true, true, true, true, true, true];
const fitting: [
  Fits<Customer, Stripe.Customer>,
  Fits<PaymentMethod, Stripe.PaymentMethod>,
  Fits<SetupIntent, Stripe.SetupIntent>,
  Fits<Product, Stripe.Product>,
  Fits<Price, Stripe.Price>,
  Fits<Subscription, Stripe.Subscription>,
  Fits<Invoice, Stripe.Invoice>,
  Fits<InvoiceLine, Stripe.InvoiceLineItem>,
  Fits<InvoicePayment, Stripe.InvoicePayment>,
  Fits<PaymentIntent, Stripe.PaymentIntent>,
  Fits<Charge, Stripe.Charge>,
  Fits<Refund, Stripe.Refund>,
  Fits<CreditNote, Stripe.CreditNote>,
  Fits<BalanceTransaction, Stripe.BalanceTransaction>,
  Fits<Dispute, Stripe.Dispute>,
] = [true, true, true, true, true, true, true, true, true, true, true, true, true, true, true];

test('every object has the members that the SDK’s types promise, with values they allow', () => {
  expect([...complete, ...fitting].every(Boolean)).toBe(true);
});

import type { Subscription } from './billing-objects.js';
import type { Call } from './call.js';
import { newInvoice } from './invoice-objects.js';
import type { BillingReason, Invoice, InvoiceLine, InvoicePayment } from './invoice-objects.js';
import { charge } from './money.js';
import { newPaymentIntent } from './payment-objects.js';
import type { PaymentIntent } from './payment-objects.js';
import { livingCustomer } from './state.js';

/** What trying to charge a card comes to. */
export type PaymentOutcome = 'succeeded' | 'declined' | 'requires_action' | 'no_method';

/** What would come of charging this method now. */
export function outcomeOf(call: Call, method: string | null): PaymentOutcome {
  if (method === null) return 'no_method';
  if (call.declines) return 'declined';
  const card = call.state.cards[method];
  if (card === 'declined') return 'declined';
  return card === 'authentication-required' ? 'requires_action' : 'succeeded';
}

/** The method that pays for a customer's subscription. */
export function payingMethod(
  call: Call,
  { customer, own }: { customer: string; own: string | null },
): string | null {
  return (
    own ?? livingCustomer(call.state, customer)?.invoice_settings.default_payment_method ?? null
  );
}

function linesOf(call: Call, invoice: string, subscription: Subscription): InvoiceLine[] {
  return subscription.items.data.map(({ id: item, price, quantity, ...period }) => ({
    id: call.id('il'),
    object: 'line_item',
    amount: price.unit_amount * quantity,
    currency: price.currency,
    description: `${quantity} × ${price.nickname ?? price.id}`,
    discount_amounts: [],
    discountable: true,
    discounts: [],
    invoice,
    livemode: false,
    metadata: {},
    parent: {
      invoice_item_details: null,
      subscription_item_details: {
        invoice_item: null,
        proration: false,
        proration_details: null,
        subscription: subscription.id,
        subscription_item: item,
      },
      type: 'subscription_item_details',
    },
    period: { end: period.current_period_end, start: period.current_period_start },
    pretax_credit_amounts: [],
    pricing: {
      price_details: { price: price.id, product: price.product },
      type: 'price_details',
      unit_amount_decimal: price.unit_amount_decimal,
    },
    quantity,
    quantity_decimal: String(quantity),
    subscription: subscription.id,
    subtotal: price.unit_amount * quantity,
    taxes: [],
  }));
}

/**
 * A finalized invoice over a subscription's period: open, or paid at once if it is over
 * nothing.
 */
export function invoiceFor(
  call: Call,
  subscription: Subscription,
  { reason, at }: { reason: BillingReason; at: number },
): Invoice {
  const owner = livingCustomer(call.state, subscription.customer);
  const id = call.id('in');
  const invoice = newInvoice(id, at, {
    customer: {
      id: subscription.customer,
      email: owner?.email ?? null,
      name: owner?.name ?? null,
    },
    currency: subscription.currency,
    reason,
    lines: linesOf(call, id, subscription),
    subscription: { id: subscription.id, metadata: { ...subscription.metadata } },
    metadata: {},
    description: null,
  });
  invoice.status = 'open';
  invoice.number = `SANDBOX-${String(call.state.nextNumber).padStart(4, '0')}`;
  call.state.nextNumber += 1;
  invoice.auto_advance = true;
  invoice.effective_at = at;
  invoice.status_transitions.finalized_at = at;
  invoice.ending_balance = 0;
  invoice.hosted_invoice_url = `https://invoice.stripe.com/i/sandbox/${id}`;
  invoice.invoice_pdf = `${invoice.hosted_invoice_url}/pdf`;
  call.state.invoices[id] = invoice;
  subscription.latest_invoice = id;
  if (invoice.amount_due === 0) markPaid(invoice, at);
  return invoice;
}

function markPaid(invoice: Invoice, at: number): void {
  invoice.status = 'paid';
  invoice.amount_paid = invoice.amount_due;
  invoice.amount_remaining = 0;
  invoice.auto_advance = false;
  invoice.status_transitions.paid_at = at;
}

/** The payment that belongs to an invoice: an intent, not yet tried. */
export function openPayment(call: Call, invoice: Invoice, method: string | null): PaymentIntent {
  const intent = newPaymentIntent(call.id('pi'), invoice.created, {
    amount: invoice.amount_due,
    currency: invoice.currency,
    customer: invoice.customer,
    description: invoice.parent === null ? 'Invoice' : 'Subscription creation',
    payment_method: method,
    status: method === null ? 'requires_payment_method' : 'requires_confirmation',
  });
  const payment: InvoicePayment = {
    id: call.id('inpay'),
    object: 'invoice_payment',
    amount_paid: null,
    amount_requested: invoice.amount_due,
    created: invoice.created,
    currency: invoice.currency,
    invoice: invoice.id,
    is_default: true,
    livemode: false,
    payment: { payment_intent: intent.id, type: 'payment_intent' },
    status: 'open',
    status_transitions: { canceled_at: null, paid_at: null },
  };
  call.state.paymentIntents[intent.id] = intent;
  call.state.invoicePayments[payment.id] = payment;
  return intent;
}

/** The payment of an invoice and its intent, if it has one. */
export function paymentOf(
  call: Call,
  invoice: Invoice,
): { payment: InvoicePayment; intent: PaymentIntent } | undefined {
  const payment = Object.values(call.state.invoicePayments).find(
    (one) => one.invoice === invoice.id,
  );
  const intent =
    payment === undefined ? undefined : call.state.paymentIntents[payment.payment.payment_intent];
  return payment === undefined || intent === undefined ? undefined : { payment, intent };
}

/** Charges a method for an open invoice and settles invoice and intent by what comes of it. */
export function tryPayment(
  call: Call,
  invoice: Invoice,
  { method, outcome, at }: { method: string; outcome: PaymentOutcome; at: number },
): void {
  const held = paymentOf(call, invoice);
  const intent = held?.intent ?? openPayment(call, invoice, method);
  const payment = held?.payment ?? paymentOf(call, invoice)?.payment;
  intent.payment_method = method;
  invoice.attempted = true;
  invoice.attempt_count += 1;
  if (outcome === 'requires_action') {
    intent.status = 'requires_action';
    intent.next_action = { type: 'use_stripe_sdk', use_stripe_sdk: {} };
    return;
  }
  const succeeded = outcome === 'succeeded';
  const made = charge(call, intent, { paymentMethod: method, succeeded, at });
  if (!succeeded) {
    intent.status = 'requires_payment_method';
    intent.payment_method = null;
    intent.last_payment_error = {
      charge: made.id,
      code: 'card_declined',
      decline_code: 'generic_decline',
      message: 'Your card was declined.',
      type: 'card_error',
    };
    return;
  }
  intent.status = 'succeeded';
  intent.amount_received = intent.amount;
  intent.next_action = null;
  intent.last_payment_error = null;
  if (payment !== undefined) {
    payment.status = 'paid';
    payment.amount_paid = payment.amount_requested;
    payment.status_transitions.paid_at = at;
  }
  markPaid(invoice, at);
}

/** Voids an open invoice: nobody will be asked to pay it, and its intent is canceled. */
export function voidInvoice(call: Call, invoice: Invoice, at: number): void {
  invoice.status = 'void';
  invoice.auto_advance = false;
  invoice.status_transitions.voided_at = at;
  const held = paymentOf(call, invoice);
  if (held === undefined) return;
  held.payment.status = 'canceled';
  held.payment.status_transitions.canceled_at = at;
  held.intent.status = 'canceled';
  held.intent.canceled_at = at;
  held.intent.cancellation_reason = 'void_invoice';
  held.intent.next_action = null;
}

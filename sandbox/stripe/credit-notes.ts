import { z } from 'zod';
import { route } from './call.js';
import type { Call, Route } from './call.js';
import { choice } from './choices.js';
import type { Invoice } from './invoice-objects.js';
import { paymentOf } from './invoicing.js';
import { listOf } from './lists.js';
import { refund } from './money.js';
import { int, mergeMetadata, metadata, paging, text } from './params.js';
import type { Charge, CreditNote } from './payment-objects.js';
import { invalid, notDone } from './problem.js';

/**
 * What may still be credited: what was paid, less earlier notes and less refunds made without
 * one.
 */
function creditable(call: Call, invoice: Invoice, charge: Charge): number {
  const notes = Object.values(call.state.creditNotes).filter((one) => one.invoice === invoice.id);
  const credited = notes.reduce((sum, { amount }) => sum + amount, 0);
  const byNotes = new Set(notes.flatMap(({ refunds }) => refunds.map((one) => one.refund)));
  const without = Object.values(call.state.refunds)
    .filter((one) => one.charge === charge.id && one.status !== 'failed' && !byNotes.has(one.id))
    .reduce((sum, { amount }) => sum + amount, 0);
  return invoice.amount_paid - credited - without;
}

function chargeOf(call: Call, invoice: Invoice): Charge {
  const latest = paymentOf(call, invoice)?.intent.latest_charge ?? null;
  if (invoice.status !== 'paid' || latest === null) {
    throw notDone(`a credit note on an invoice that is ${invoice.status}`);
  }
  return call.find('charges', 'charge', latest);
}

function render(
  call: Call,
  invoice: Invoice,
  given: Pick<CreditNote, 'id' | 'amount' | 'memo' | 'metadata' | 'reason' | 'refunds'> & {
    outOfBand: number;
  },
): CreditNote {
  const { outOfBand, ...members } = given;
  return {
    object: 'credit_note',
    amount_shipping: 0,
    created: call.now,
    currency: invoice.currency,
    customer: invoice.customer,
    customer_account: null,
    customer_balance_transaction: null,
    discount_amount: 0,
    discount_amounts: [],
    effective_at: call.now,
    invoice: invoice.id,
    lines: {
      object: 'list',
      data: [],
      has_more: false,
      url: `/v1/credit_notes/${members.id}/lines`,
    },
    livemode: false,
    number: `${invoice.number ?? invoice.id}-CN`,
    out_of_band_amount: outOfBand === 0 ? null : outOfBand,
    pdf: `https://pay.stripe.com/credit_notes/sandbox/${members.id}/pdf`,
    post_payment_amount: members.amount,
    pre_payment_amount: 0,
    pretax_credit_amounts: [],
    shipping_cost: null,
    status: 'issued',
    subtotal: members.amount,
    subtotal_excluding_tax: members.amount,
    total: members.amount,
    total_excluding_tax: members.amount,
    total_taxes: [],
    type: 'post_payment',
    voided_at: null,
    ...members,
  };
}

const create = route('POST', '/v1/credit_notes', {
  params: {
    invoice: text,
    amount: int.optional(),
    refund_amount: int.optional(),
    out_of_band_amount: int.optional(),
    memo: text.optional(),
    metadata: metadata.optional(),
    reason: z
      .enum(['duplicate', 'fraudulent', 'order_change', 'product_unsatisfactory'])
      .optional(),
    email_type: z.enum(['credit_note', 'none']).optional(),
  },
  notDone: ['credit_amount', 'effective_at', 'lines', 'refunds', 'shipping_cost'],
  run: (call, given) => {
    call.declineHere();
    const invoice = call.find('invoices', 'invoice', given.invoice, 'invoice');
    const charge = chargeOf(call, invoice);
    const { amount, refund_amount: back = 0, out_of_band_amount: outOfBand = 0 } = given;
    if (amount === undefined) {
      throw invalid('One of `amount`, `lines`, or `shipping_cost` must be provided.', 'amount');
    }
    if (back + outOfBand !== amount) {
      throw invalid(
        'The sum of credit amount, refund amount and out of band amount must equal the credit ' +
          'note amount on a paid invoice.',
        'amount',
      );
    }
    const left = creditable(call, invoice, charge);
    if (amount < 1 || amount > left) {
      throw invalid(
        `The credit note amount (${amount}) is greater than what can be credited (${left}).`,
        'amount',
        'amount_too_large',
      );
    }
    const status = choice(call.state, 'refunds');
    const refunded =
      back === 0
        ? []
        : [refund(call, charge, { amountMinor: back, reason: null, metadata: {}, status })];
    const note = render(call, invoice, {
      id: call.id('cn'),
      amount,
      outOfBand,
      memo: given.memo ?? null,
      metadata: mergeMetadata({}, given.metadata),
      reason: given.reason ?? null,
      refunds: refunded.map(({ id, amount: of }) => ({
        amount_refunded: of,
        payment_record_refund: null,
        refund: id,
        type: 'refund',
      })),
    });
    invoice.post_payment_credit_notes_amount += amount;
    call.state.creditNotes[note.id] = note;
    return note;
  },
});

export const creditNoteRoutes: readonly Route[] = [
  create,
  route('GET', '/v1/credit_notes/:id', {
    params: {},
    run: (call) => call.see('creditNotes', 'credit note'),
  }),
  route('GET', '/v1/credit_notes', {
    params: { ...paging, invoice: text.optional(), customer: text.optional() },
    run: (call, { invoice, customer, ...page }) => {
      const wanted = Object.values(call.state.creditNotes).filter(
        (one) =>
          (invoice === undefined || one.invoice === invoice) &&
          (customer === undefined || one.customer === customer),
      );
      return listOf(call, '/v1/credit_notes', wanted, page);
    },
  }),
];

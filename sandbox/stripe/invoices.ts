import { z } from 'zod';
import { route } from './call.js';
import type { Route } from './call.js';
import { newInvoice } from './invoice-objects.js';
import { voidInvoice } from './invoicing.js';
import { listOf } from './lists.js';
import { mergeMetadata, metadata, paging, text } from './params.js';
import { invalid, missing } from './problem.js';
import { livingCustomer } from './state.js';

const statuses = z.enum(['draft', 'open', 'paid', 'void', 'uncollectible']);

export const invoiceRoutes: readonly Route[] = [
  // A draft over nothing: what a person or another system may have lying about.
  route('POST', '/v1/invoices', {
    params: {
      customer: text,
      currency: text.optional(),
      description: text.optional(),
      metadata: metadata.optional(),
    },
    notDone: ['auto_advance', 'collection_method', 'days_until_due', 'due_date', 'subscription'],
    run: (call, { customer, currency = 'usd', description = null, metadata: given }) => {
      const owner = livingCustomer(call.state, customer);
      if (owner === undefined) throw missing('customer', customer, 'customer');
      const invoice = newInvoice(call.id('in'), call.now, {
        customer: owner,
        currency: currency.toLowerCase(),
        reason: 'manual',
        lines: [],
        subscription: null,
        metadata: mergeMetadata({}, given),
        description,
      });
      call.state.invoices[invoice.id] = invoice;
      return invoice;
    },
  }),
  route('GET', '/v1/invoices/:id', {
    params: {},
    run: (call) => call.see('invoices', 'invoice'),
  }),
  route('GET', '/v1/invoices', {
    params: {
      ...paging,
      customer: text.optional(),
      subscription: text.optional(),
      status: statuses.optional(),
    },
    notDone: ['collection_method', 'due_date'],
    run: (call, { customer, subscription, status, ...page }) => {
      const wanted = Object.values(call.state.invoices).filter(
        (one) =>
          (customer === undefined || one.customer === customer) &&
          (subscription === undefined ||
            one.parent?.subscription_details.subscription === subscription) &&
          (status === undefined || one.status === status),
      );
      return listOf(call, '/v1/invoices', wanted, page);
    },
  }),
  route('POST', '/v1/invoices/:id/void', {
    params: {},
    run: (call) => {
      const invoice = call.find('invoices', 'invoice');
      if (invoice.status !== 'open' && invoice.status !== 'uncollectible') {
        throw invalid(
          `You can only pass in open invoices or uncollectible invoices. This invoice isn't ` +
            `open or ` +
            `uncollectible: it is ${invoice.status}.`,
        );
      }
      voidInvoice(call, invoice, call.now);
      return invoice;
    },
  }),
  route('DELETE', '/v1/invoices/:id', {
    params: {},
    run: (call) => {
      const invoice = call.find('invoices', 'invoice');
      if (invoice.status !== 'draft') {
        throw invalid("You can't delete invoices that are no longer in draft state.");
      }
      Reflect.deleteProperty(call.state.invoices, invoice.id);
      return { id: invoice.id, object: 'invoice', deleted: true };
    },
  }),
  route('GET', '/v1/invoice_payments', {
    params: { ...paging, invoice: text.optional(), status: z.enum(['open', 'paid']).optional() },
    notDone: ['payment'],
    run: (call, { invoice, status, ...page }) => {
      const wanted = Object.values(call.state.invoicePayments).filter(
        (one) =>
          (invoice === undefined || one.invoice === invoice) &&
          (status === undefined || one.status === status),
      );
      return listOf(call, '/v1/invoice_payments', wanted, page);
    },
  }),
];

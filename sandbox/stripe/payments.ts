import { route } from './call.js';
import type { Route } from './call.js';
import { listOf } from './lists.js';
import { paging, text } from './params.js';

const ofCustomer = { ...paging, customer: text.optional() };

/** What was charged, and the balance it went to: reads only, for charges come from invoices. */
export const paymentRoutes: readonly Route[] = [
  route('GET', '/v1/payment_intents/:id', {
    params: {},
    run: (call) => call.see('paymentIntents', 'payment_intent'),
  }),
  route('GET', '/v1/payment_intents', {
    params: ofCustomer,
    run: (call, { customer, ...page }) => {
      const wanted = Object.values(call.state.paymentIntents).filter(
        (one) => customer === undefined || one.customer === customer,
      );
      return listOf(call, '/v1/payment_intents', wanted, page);
    },
  }),
  route('GET', '/v1/charges/:id', {
    params: {},
    run: (call) => call.see('charges', 'charge'),
  }),
  route('GET', '/v1/charges', {
    params: { ...ofCustomer, payment_intent: text.optional() },
    notDone: ['transfer_group'],
    run: (call, { customer, payment_intent: intent, ...page }) => {
      const wanted = Object.values(call.state.charges).filter(
        (one) =>
          (customer === undefined || one.customer === customer) &&
          (intent === undefined || one.payment_intent === intent),
      );
      return listOf(call, '/v1/charges', wanted, page);
    },
  }),
  route('GET', '/v1/disputes/:id', {
    params: {},
    run: (call) => call.see('disputes', 'dispute'),
  }),
  route('GET', '/v1/disputes', {
    params: { ...paging, charge: text.optional(), payment_intent: text.optional() },
    run: (call, { charge, payment_intent: intent, ...page }) => {
      const wanted = Object.values(call.state.disputes).filter(
        (one) =>
          (charge === undefined || one.charge === charge) &&
          (intent === undefined || one.payment_intent === intent),
      );
      return listOf(call, '/v1/disputes', wanted, page);
    },
  }),
  route('GET', '/v1/balance', {
    params: {},
    run: (call) => {
      const byCurrency = new Map<string, number>();
      for (const { currency, net } of Object.values(call.state.balanceTransactions)) {
        byCurrency.set(currency, (byCurrency.get(currency) ?? 0) + net);
      }
      const available = [...byCurrency].map(([currency, amount]) => ({
        amount,
        currency,
        source_types: { card: amount },
      }));
      return { object: 'balance', available, livemode: false, pending: [] };
    },
  }),
  route('GET', '/v1/balance_transactions/:id', {
    params: {},
    run: (call) => call.see('balanceTransactions', 'balance transaction'),
  }),
  route('GET', '/v1/balance_transactions', {
    params: { ...paging, source: text.optional(), type: text.optional() },
    notDone: ['currency', 'payout'],
    run: (call, { source, type, ...page }) => {
      const wanted = Object.values(call.state.balanceTransactions).filter(
        (one) =>
          (source === undefined || one.source === source) &&
          (type === undefined || one.type === type),
      );
      return listOf(call, '/v1/balance_transactions', wanted, page);
    },
  }),
];

import { z } from 'zod';
import { route } from './call.js';
import type { Route } from './call.js';
import { newSetupIntent } from './customer-objects.js';
import { listOf } from './lists.js';
import { bool, mergeMetadata, metadata, paging, text } from './params.js';
import { invalid, missing } from './problem.js';
import { livingCustomer } from './state.js';

/** How a person is asked for a card; the person's own doing comes by the control port. */
export const setupIntentRoutes: readonly Route[] = [
  route('POST', '/v1/setup_intents', {
    params: {
      customer: text.optional(),
      description: text.optional(),
      metadata: metadata.optional(),
      payment_method: text.optional(),
      payment_method_types: z.array(text).optional(),
      automatic_payment_methods: z
        .strictObject({ enabled: bool, allow_redirects: z.enum(['always', 'never']).optional() })
        .optional(),
      usage: z.enum(['off_session', 'on_session']).optional(),
    },
    notDone: ['confirm', 'mandate_data', 'return_url', 'single_use', 'payment_method_data'],
    run: (call, given) => {
      call.declineHere();
      const { customer = null, payment_method: method = null } = given;
      if (customer !== null && livingCustomer(call.state, customer) === undefined) {
        throw missing('customer', customer, 'customer');
      }
      if (method !== null) call.find('paymentMethods', 'PaymentMethod', method, 'payment_method');
      const intent = newSetupIntent(call.id('seti'), call.now, {
        customer,
        description: given.description ?? null,
        metadata: mergeMetadata({}, given.metadata),
        payment_method: method,
        payment_method_types: given.payment_method_types ?? ['card'],
        usage: given.usage ?? 'off_session',
      });
      call.state.setupIntents[intent.id] = intent;
      return intent;
    },
  }),
  route('GET', '/v1/setup_intents/:id', {
    params: {},
    run: (call) => call.see('setupIntents', 'setupintent'),
  }),
  route('GET', '/v1/setup_intents', {
    params: { ...paging, customer: text.optional() },
    run: (call, { customer, ...page }) => {
      const wanted = Object.values(call.state.setupIntents).filter(
        (intent) => customer === undefined || intent.customer === customer,
      );
      return listOf(call, '/v1/setup_intents', wanted, page);
    },
  }),
  route('POST', '/v1/setup_intents/:id/cancel', {
    params: {
      cancellation_reason: z.enum(['abandoned', 'duplicate', 'requested_by_customer']).optional(),
    },
    run: (call, { cancellation_reason: reason }) => {
      const intent = call.find('setupIntents', 'setupintent');
      if (!intent.status.startsWith('requires_')) {
        throw invalid(
          `You cannot cancel this SetupIntent because it has a status of ${intent.status}.`,
          undefined,
          'setup_intent_unexpected_state',
        );
      }
      intent.status = 'canceled';
      intent.cancellation_reason = reason ?? null;
      return intent;
    },
  }),
];

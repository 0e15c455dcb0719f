import { z } from 'zod';
import { Failure } from '../../domain/errors.js';
import type { Found, Operation, Reversal } from '../../gateway/operation.js';
import { classifyStripe, isMissing } from './errors.js';
import { MARKER, markerOf } from './marker.js';

const params = z.object({ email: z.string(), name: z.string() });
type Params = z.infer<typeof params>;

const made = (customerId: string): Found => ({
  object: customerId,
  capturedMinor: 0,
  fields: { customerId },
});

/** A Stripe customer of the principal. Free. */
export const createCustomer: Operation<'stripe', Params> = {
  name: 'customers.create',
  provider: 'stripe',
  keyed: true,
  knownBy: 'marker',
  params,
  send: async ({ client, marker, key }, { email, name }) => {
    const customer = await client.customers.create(
      { email, name, metadata: { [MARKER]: marker } },
      { idempotencyKey: key },
    );
    return made(customer.id);
  },
  find: async ({ client, marker }, { email }) => {
    const found: Found[] = [];
    for await (const customer of client.customers.list({ email, limit: 100 }))
      if (markerOf(customer) === marker) found.push(made(customer.id));
    const [first, ...others] = found.reverse();
    return first === undefined ? { kind: 'absent' } : { kind: 'found', ...first, others };
  },
  classify: classifyStripe,
};

/** Deletes the customer, which Stripe makes final. Not while it has a subscription that this run did not start. */
export const deleteCustomer: Reversal<'stripe', Params> = {
  name: 'customers.del',
  provider: 'stripe',
  inspect: async ({ client, marker }, _params, { object }) => {
    const run = marker.split('/').slice(0, 2).join('/');
    for await (const subscription of client.subscriptions.list({ customer: object, limit: 100 }))
      if (markerOf(subscription)?.startsWith(`${run}/`) !== true)
        throw new Failure(
          'USED_BY_OTHERS',
          `the customer ${object} has the subscription ${subscription.id}, which this run did not start`,
          { step: 'create-customer' },
        );
  },
  reverse: async ({ client }, _params, { object }) => {
    try {
      await client.customers.del(object);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  },
  readBack: async ({ client }, _params, { object }) => {
    try {
      const customer = await client.customers.retrieve(object);
      return customer.deleted === true
        ? GONE
        : { done: false, waitMs: 500, why: `the customer ${object} is not deleted yet` };
    } catch (error) {
      if (isMissing(error)) return GONE;
      throw error;
    }
  },
  classify: classifyStripe,
};

const GONE = { done: true, refundedMinor: 0, residue: { minor: 0, text: '' } } as const;

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import Stripe from 'stripe';
import { eventually } from '../../../cli/demo/stage.js';
import { startWebhooks } from '../../../sandbox/stripe/webhooks.js';
import { startStand, stripeClient } from '../stand.js';
import type { Stand } from '../stand.js';

const SECRET = 'whsec_a-secret-for-tests-and-nothing-else';

/** Somebody's endpoint: it keeps what Stripe's own package takes for genuine, and answers as it is told. */
const received: Stripe.Event[] = [];
let refuse = 0;
const receiver = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const header = String(request.headers['stripe-signature']);
    received.push(Stripe.webhooks.constructEvent(Buffer.concat(chunks), header, SECRET));
    refuse -= 1;
    response.writeHead(refuse >= 0 ? 503 : 200).end();
  });
});

let stand: Stand;
let stop: () => Promise<void>;
let worlds = 0;
let world: string;
let stripe: Stripe;
beforeAll(async () => {
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  stand = await startStand();
  stop = startWebhooks(stand.worlds);
});
afterAll(async () => {
  await stop();
  await stand.close();
  receiver.close();
});
beforeEach(async () => {
  worlds += 1;
  world = `hooks-${worlds}`;
  refuse = 0;
  received.length = 0;
  stripe = stripeClient(stand.apiUrl, stand.credentials(world).stripe.actions);
  await stand.control.people(world, { do: 'standing-payment-method', card: 'visa' });
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
  await stand.control.people(world, { do: 'add-webhook-endpoint', url, secret: SECRET });
});

const subscribed = async () => {
  const customer = await stripe.customers.create({ email: 'a@example.com' });
  return stripe.subscriptions.create({
    customer: customer.id,
    items: [{ price: 'price_starter_monthly' }],
    expand: ['latest_invoice.payments'],
  });
};
const types = (): string[] => received.map(({ type }) => type);
const heard = (...wanted: string[]): Promise<true> =>
  eventually(`events of ${world}`, () =>
    Promise.resolve(wanted.every((type) => types().includes(type)) || undefined),
  );
const charge = async (): Promise<string> =>
  String((await stand.control.truth(world)).charges[0]?.object);

test('what changes is called out, signed as Stripe signs, to the endpoint of its world', async () => {
  const held = await subscribed();
  await heard('customer.subscription.created', 'invoice.paid');
  expect(received.every(({ livemode }) => !livemode)).toBe(true);
  await stripe.subscriptions.update(held.id, { metadata: { a: 'b' } });
  await heard('customer.subscription.updated');
  await stand.control.people(world, { do: 'set-choice', name: 'refunds', value: 'pending' });
  const refund = await stripe.refunds.create({ charge: await charge() });
  await heard('refund.created');
  await stand.control.people(world, { do: 'settle-refund', refund: refund.id, status: 'failed' });
  await heard('refund.failed', 'refund.updated', 'charge.refund.updated');
  const dispute = (await stand.control.people(world, {
    do: 'dispute',
    charge: await charge(),
  })) as { id: string };
  await heard('charge.dispute.created', 'charge.dispute.funds_withdrawn');
  const told = received.find(({ type }) => type === 'charge.dispute.created');
  expect((told?.data.object as { id: string }).id).toBe(dispute.id);
  await stripe.subscriptions.cancel(held.id);
  await heard('customer.subscription.deleted');
  expect(new Set(received.map(({ id }) => id)).size).toBe(received.length);
  expect(JSON.stringify(await stand.control.truth(world))).not.toContain(SECRET);
});

test('a renewal that nobody pays is called out', async () => {
  const { customer } = await subscribed();
  await heard('invoice.paid');
  await stand.control.people(world, { do: 'remove-payment-method', customer });
  await stand.control.people(world, { do: 'add-payment-method', customer, card: 'declined' });
  await stand.control.clock(world, 32 * 86_400_000);
  await stand.control.truth(world);
  await heard('invoice.payment_failed');
});

test('what is not taken comes again, later by the world’s clock, under the same id', async () => {
  refuse = 1;
  await subscribed();
  await heard('invoice.paid', 'customer.subscription.created');
  const first = received[0]?.id;
  await stand.control.clock(world, 10_000);
  await eventually('another try', () =>
    Promise.resolve(received.filter(({ id }) => id === first).length === 2 || undefined),
  );
});

test('events are held, doubled and turned around as the knobs say', async () => {
  const turn = (knobs: Record<string, unknown>): Promise<unknown> =>
    stand.control.people(world, { do: 'webhooks', ...knobs });
  await turn({ held: true, copies: 2, order: 'reversed' });
  await subscribed();
  expect((await stand.control.truth(world)).stripe).toMatchObject({ webhooks: expect.anything() });
  expect(received).toEqual([]);
  await turn({ held: false });
  await eventually('all copies', () => Promise.resolve(received.length >= 6 || undefined));
  const ids = received.map(({ id }) => id);
  expect(ids.slice(0, ids.length / 2)).toEqual(ids.slice(ids.length / 2));
  expect(types().indexOf('invoice.paid')).toBeLessThan(
    types().indexOf('customer.subscription.created'),
  );
  await expect(turn({ copies: 9 })).rejects.toThrow(/<=5/);
});

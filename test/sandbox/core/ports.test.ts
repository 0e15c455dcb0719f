import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { request } from 'node:http';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Stand } from '../stand.js';
import { CONTROL_TOKEN, freshWorld, startStand, stripeClient } from '../stand.js';

let stand: Stand;
beforeAll(async () => {
  stand = await startStand();
});
afterAll(() => stand.close());

const control = (route: string, init: RequestInit = {}, token = CONTROL_TOKEN): Promise<Response> =>
  fetch(`${stand.controlUrl}/_sandbox/${route}`, {
    ...init,
    headers: { authorization: `Bearer ${token}`, connection: 'close' },
  });
const post = (route: string, body: unknown): Promise<Response> =>
  control(route, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) });

test('every answer of every port says that it is the sandbox', async () => {
  const answers = [await fetch(`${stand.apiUrl}/v1/customers`), await control('health')];
  for (const answer of answers) expect(answer.headers.get('x-countersign-sandbox')).toBe('1');
  expect(await answers[1]?.json()).toMatchObject({ status: 'ok', start: expect.any(String) });
});

test('worlds lie side by side: what one key makes, another key does not see', async () => {
  const [one, two] = [freshWorld(), freshWorld()];
  const first = stripeClient(stand.apiUrl, stand.credentials(one).stripe.actions);
  const second = stripeClient(stand.apiUrl, stand.credentials(two).stripe.actions);
  const { id } = await first.customers.create({ email: 'owner@example.com' });
  expect((await second.customers.list()).data).toEqual([]);
  await expect(second.customers.retrieve(id)).rejects.toMatchObject({ statusCode: 404 });
  await stand.control.clock(one, 3_600_000);
  const clocks = [await stand.control.truth(one), await stand.control.truth(two)];
  expect(clocks[0]!.now - clocks[1]!.now).toBeGreaterThan(3_500_000);
});

test('a foreign credential answers 401 in the provider’s shape and is kept nowhere', async () => {
  const foreign = 'sk_test_main_actions_0123456789abcdef0123456789abcdef';
  const stripe = stripeClient(stand.apiUrl, foreign);
  await expect(stripe.customers.list()).rejects.toMatchObject({
    type: 'StripeAuthenticationError',
    statusCode: 401,
  });
  const world = freshWorld();
  const good = stand.credentials(world).stripe.actions;
  await stripeClient(stand.apiUrl, good).customers.list();
  for (const file of readdirSync(join(stand.dataDir, 'worlds'))) {
    const text = readFileSync(join(stand.dataDir, 'worlds', file), 'utf8');
    expect(text).not.toContain(foreign);
    expect(text).not.toContain(good);
  }
});

test('the request log has the SDK’s User-Agent, the role and the key’s fingerprint', async () => {
  const world = freshWorld();
  const key = stand.credentials(world).stripe.compensations;
  await stripeClient(stand.apiUrl, key).customers.create({ name: 'N' }, { idempotencyKey: 'k' });
  const { requests } = await stand.control.truth(world);
  expect(requests).toEqual([
    expect.objectContaining({
      method: 'POST',
      path: '/v1/customers',
      role: 'compensations',
      status: 200,
      body: 'name=N',
      requestId: expect.stringMatching(/^req_/),
      headers: expect.objectContaining({
        'user-agent': 'Stripe/v1 NodeBindings/23.1.0',
        'idempotency-key': 'k',
        authorization: expect.stringMatching(/^fingerprint [0-9a-f]{12}$/),
      }),
    }),
  ]);
});

test('an unknown route answers 501 in the provider’s shape, and the truth names it', async () => {
  const world = freshWorld();
  const stripe = stripeClient(stand.apiUrl, stand.credentials(world).stripe.actions);
  await expect(stripe.topups.list()).rejects.toMatchObject({
    statusCode: 501,
    code: 'sandbox_not_implemented',
  });
  await expect(stripe.customers.search({ query: 'x' })).rejects.toMatchObject({ statusCode: 501 });
  const { unknownRoutes, counts } = await stand.control.truth(world);
  expect(unknownRoutes.map(({ path }) => path)).toEqual(['/v1/topups', '/v1/customers/search']);
  expect(counts['unknownRoutes']).toBe(2);
  expect((await fetch(`${stand.apiUrl}/elsewhere`)).status).toBe(501);
});

test('the control port refuses a wrong token, and any Host not of the loopback', async () => {
  expect((await control('truth', {}, 'wrong')).status).toBe(401);
  const { hostname, port } = new URL(stand.controlUrl);
  const status = await new Promise((resolve, reject) => {
    request(
      {
        hostname,
        port,
        path: '/_sandbox/truth',
        headers: { host: 'evil.example', authorization: `Bearer ${CONTROL_TOKEN}` },
      },
      (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      },
    )
      .on('error', reject)
      .end();
  });
  expect(status).toBe(403);
});

test('control routes are not under the providers’ paths, nor theirs under control', async () => {
  expect((await fetch(`${stand.apiUrl}/_sandbox/truth`)).status).toBe(501);
  const { status } = await fetch(`${stand.controlUrl}/v1/customers`, {
    headers: { authorization: `Bearer ${CONTROL_TOKEN}` },
  });
  expect(status).toBe(404);
});

test.each([
  ['clock', {}, 'advanceMs'],
  ['clock', { advanceMs: -1 }, 'advanceMs'],
  ['clock', { advanceMs: 1, more: 1 }, 'more'],
  ['clock', 'not json', 'body'],
  ['faults', {}, 'body'],
  ['faults', [{ provider: 'stripe', method: 'POST', path: 'v1', fault: 'refuse' }], '0.path'],
  ['faults', [{ provider: 'stripe', method: 'POST', path: '/v1', fault: 'explode' }], '0.fault'],
  ['faults', [{ provider: 'visa', method: 'POST', path: '/v1', fault: 'refuse' }], '0.provider'],
  ['people', {}, 'do'],
  ['people', { do: 'fly' }, 'do'],
  ['people', { do: 'add-payment-method', customer: 'cus_none' }, 'customer'],
  ['people', { do: 'set-choice', name: 'refunds', value: 'maybe' }, 'value'],
])('%s with %j is refused with 400 and names %s', async (route, body, member) => {
  const answer = await post(`${route}?world=bad-bodies`, body);
  expect(answer.status).toBe(400);
  expect(answer.headers.get('content-type')).toContain('application/problem+json');
  expect(await answer.json()).toMatchObject({ status: 400, member });
});

test('a world whose name no world can have is refused by name', async () => {
  const answer = await control('truth?world=No_Such');
  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({ member: 'world' });
});

test('reset empties a world and leaves its credentials good', async () => {
  const world = freshWorld();
  const keys = await stand.control.credentials(world);
  expect(keys).toEqual(stand.credentials(world));
  const stripe = stripeClient(stand.apiUrl, keys.stripe.actions);
  await stripe.customers.create({ name: 'gone soon' });
  await stand.control.clock(world, 1_000_000);
  await stand.control.faults(world, [
    { provider: 'stripe', method: '*', path: '/**', nth: 100, fault: 'refuse' },
  ]);
  await stand.control.reset(world);
  const truth = await stand.control.truth(world);
  expect(truth.requests).toEqual([]);
  expect(truth.living).toEqual([]);
  expect(truth.now - Date.now()).toBeLessThan(10_000);
  expect((await stripe.customers.list()).data).toEqual([]);
});

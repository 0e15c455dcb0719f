import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { FullStand } from '../cloudflare/stand.js';
import { startFullStand } from '../cloudflare/stand.js';

let stand: FullStand;
beforeAll(async () => {
  stand = await startFullStand();
});
afterAll(() => stand.close());

const ZONE = 'a'.repeat(32);

test.each([
  ['stripe', 'GET', '/v1/topups'],
  ['stripe', 'PUT', '/v1/customers'],
  ['stripe', 'GET', '/v1/events'],
  ['stripe', 'GET', '/v1/customers/search'],
  ['stripe', 'POST', '/v2/core/accounts'],
  ['cloudflare', 'GET', '/client/v4/user'],
  ['cloudflare', 'PATCH', '/client/v4/accounts'],
  ['cloudflare', 'GET', '/client/v4'],
  ['cloudflare', 'POST', `/client/v4/zones/${ZONE}/purge_cache`],
  ['cloudflare', 'POST', '/client/v4/provisioning/previews'],
] as const)('%s has no %s %s: 501, named in the answer and in the truth', async (...route) => {
  const [provider, method, path] = route;
  const { name, credentials } = await stand.world();
  const answer = await fetch(stand.running.apiUrl + path, {
    method,
    headers: { authorization: `Bearer ${credentials[provider].actions}`, connection: 'close' },
  });
  expect(answer.status).toBe(501);
  expect(answer.headers.get('content-type')).toContain('application/json');
  const said = (await answer.json()) as Record<string, unknown>;
  const message = `${method} ${path}`;
  expect(said).toMatchObject(
    provider === 'stripe'
      ? {
          error: { code: 'sandbox_not_implemented', message: expect.stringContaining(message) },
        }
      : { success: false, errors: [{ code: 7000, message: expect.stringContaining(message) }] },
  );
  const { unknownRoutes } = await stand.control.truth(name);
  expect(unknownRoutes).toEqual([expect.objectContaining({ provider, method, path })]);
});

test('a path of no provider answers 501 and says which paths there are', async () => {
  const answer = await fetch(`${stand.running.apiUrl}/elsewhere`, {
    headers: { connection: 'close' },
  });
  expect(answer.status).toBe(501);
  expect(await answer.json()).toEqual({
    error:
      'no provider of this sandbox answers /elsewhere: Stripe is at /v1/… and /v2/…, Cloudflare at /client/v4/…',
  });
});

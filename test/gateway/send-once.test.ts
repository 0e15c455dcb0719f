import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { cloudflareClient } from '../../gateway/cloudflare/client.js';
import { PROCESS_CLOCKS, deadlineIn } from '../../gateway/deadline.js';
import type { Deadline } from '../../gateway/deadline.js';
import { sendOnce } from '../../gateway/send-once.js';
import { stripeClient } from '../../gateway/stripe/client.js';

const servers: { close(): void; closeAllConnections(): void }[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function listen(
  handle: (request: IncomingMessage, response: ServerResponse, body: string) => void,
): Promise<{ origin: string; requests: { method: string; url: string; body: string }[] }> {
  const requests: { method: string; url: string; body: string }[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      requests.push({ method: request.method ?? '', url: request.url ?? '', body });
      handle(request, response, body);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

const within = (ms: number): Deadline => deadlineIn(ms, PROCESS_CLOCKS);

test('a request is sent once, on a socket that is closed after it, and its answer comes back whole', async () => {
  const { origin, requests } = await listen((request, response) => {
    response.setHeader('connection-asked', request.headers.connection ?? '');
    response.end(JSON.stringify({ ok: true }));
  });
  const transmission = { begun: 0 };
  const send = sendOnce({ deadline: within(2_000), transmission, origin });
  const response = await send(`${origin}/x?y=1`, { method: 'POST', body: 'a=b' });
  expect(await response.json()).toEqual({ ok: true });
  expect(response.headers.get('connection-asked')).toBe('close');
  expect(requests).toEqual([{ method: 'POST', url: '/x?y=1', body: 'a=b' }]);
  expect(transmission.begun).toBe(1);
});

test('a server that stays silent is given up at the deadline, and the request counts as begun', async () => {
  const { origin } = await listen(() => undefined);
  const transmission = { begun: 0 };
  const send = sendOnce({ deadline: within(150), transmission, origin });
  await expect(send(origin, { method: 'POST' })).rejects.toMatchObject({
    name: 'AnswerLost',
    reason: 'ETIMEDOUT',
  });
  expect(transmission.begun).toBe(1);
});

test('the deadline covers the body: half an answer is no answer', async () => {
  const { origin } = await listen((_request, response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('half');
  });
  const send = sendOnce({ deadline: within(150), transmission: { begun: 0 }, origin });
  await expect(send(origin)).rejects.toMatchObject({ name: 'AnswerLost', reason: 'ETIMEDOUT' });
});

test('when time runs out while connecting, not one byte is sent', async () => {
  const { origin, requests } = await listen((_request, response) => response.end());
  const transmission = { begun: 0 };
  let looks = 0;
  // The first look is before the connection, the second on the connected socket.
  const deadline: Deadline = { leftMs: () => (looks++ === 0 ? 1_000 : -1) };
  const send = sendOnce({ deadline, transmission, origin });
  await expect(send(origin, { method: 'POST' })).rejects.toMatchObject({
    name: 'NotSent',
    reason: 'EDEADLINE',
  });
  expect(looks).toBe(2);
  expect(transmission.begun).toBe(0);
  expect(requests).toEqual([]);
});

test('a refused connection proves that nothing was sent', async () => {
  const transmission = { begun: 0 };
  const origin = 'http://127.0.0.1:1';
  const send = sendOnce({ deadline: within(2_000), transmission, origin });
  await expect(send(origin)).rejects.toMatchObject({ name: 'NotSent', reason: 'ECONNREFUSED' });
  expect(transmission.begun).toBe(0);
});

test('a request to another origin than the provider is refused before a connection is made', async () => {
  const { origin, requests } = await listen((_request, response) => response.end());
  const send = sendOnce({
    deadline: within(2_000),
    transmission: { begun: 0 },
    origin: 'https://api.stripe.com',
  });
  await expect(send(origin)).rejects.toMatchObject({ name: 'NotSent', reason: 'EORIGIN' });
  expect(requests).toEqual([]);
});

test('the stripe client sends one request when the connection breaks under it, and none again', async () => {
  const { origin, requests } = await listen((request) => request.socket.destroy());
  const transmission = { begun: 0 };
  const stripe = stripeClient(
    { apiKey: 'sk_test_x', origin },
    { deadline: within(3_000), transmission },
  );
  await expect(
    stripe.customers.create({ name: 'x' }, { idempotencyKey: 'k' }),
  ).rejects.toMatchObject({ type: 'StripeConnectionError' });
  expect(requests).toHaveLength(1);
  expect(transmission.begun).toBe(1);
});

test.each([409, 429, 500])(
  'the cloudflare client sends one request when told %d',
  async (status) => {
    const { origin, requests } = await listen((_request, response) => {
      response.writeHead(status, { 'content-type': 'application/json', 'x-should-retry': 'true' });
      response.end('{"success":false,"errors":[],"messages":[],"result":null}');
    });
    const cloudflare = cloudflareClient(
      { apiToken: 'x', origin },
      { deadline: within(3_000), transmission: { begun: 0 } },
    );
    await expect(cloudflare.accounts.create({ name: 'x' })).rejects.toMatchObject({ status });
    expect(requests.map(({ url }) => url)).toEqual(['/client/v4/accounts']);
  },
);

test('the same change is never sent twice in one attempt, whoever asks', async () => {
  const { origin, requests } = await listen((_request, response) => response.end('{}'));
  const send = sendOnce({
    deadline: within(2_000),
    transmission: { begun: 0, changes: new Set() },
    origin,
  });
  await send(origin, { method: 'POST', body: 'a' });
  await send(origin, { method: 'POST', body: 'b' });
  await expect(send(origin, { method: 'POST', body: 'a' })).rejects.toMatchObject({
    reason: 'ETWICE',
  });
  expect(requests.map(({ body }) => body)).toEqual(['a', 'b']);
});

test('a multipart form passes whole, with its boundary', async () => {
  const { origin, requests } = await listen((_request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end('{"success":true,"result":{},"errors":[],"messages":[]}');
  });
  const form = new FormData();
  form.append('metadata', new Blob(['{"a":1}'], { type: 'application/json' }));
  const cloudflare = cloudflareClient(
    { apiToken: 'x', origin },
    { deadline: within(3_000), transmission: { begun: 0 } },
  );
  await cloudflare.put('/accounts/a/workers/scripts/s', { body: form });
  expect(requests[0]?.body).toContain('name="metadata"');
  expect(requests[0]?.body).toContain('{"a":1}');
});

test('a word of the door that has grown old is asked for again on the connected socket, and a no sends nothing', async () => {
  const { origin, requests } = await listen((_request, response) => response.end('{}'));
  let asked = 0;
  const sends = (still: boolean) => {
    let stale = true;
    const leave = {
      isStale: () => stale,
      renewed: () => {
        asked += 1;
        stale = false;
        return Promise.resolve(still);
      },
    };
    return sendOnce({ deadline: within(2_000), transmission: { begun: 0 }, origin, leave });
  };
  await expect(sends(false)(origin, { method: 'POST' })).rejects.toMatchObject({
    name: 'NotSent',
    reason: 'EDOOR',
  });
  expect(requests).toEqual([]);
  const send = sends(true);
  await send(origin, { method: 'POST', body: 'one' });
  await send(origin, { method: 'POST', body: 'two' });
  expect(requests).toHaveLength(2);
  // The second word was fresh.
  expect(asked).toBe(2);
});

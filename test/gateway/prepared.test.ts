import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { PROCESS_CLOCKS } from '../../gateway/deadline.js';
import { createProviders } from '../../gateway/providers.js';
import { unbound } from '../../gateway/send-once.js';

/** Clients are made ahead, while the database is asked: what they may do is said when an attempt takes them. */

const asked: IncomingHttpHeaders[] = [];
const server = createServer((request, response) => {
  asked.push(request.headers);
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end('{"object":"list","data":[],"has_more":false,"success":true,"result":[]}');
});
let origin: string;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));
beforeEach(() => {
  asked.length = 0;
});

const credentialsOf = (key: string) => ({
  stripe: { apiKey: `sk_test_${key}`, origin },
  cloudflare: { apiToken: `cf_${key}`, origin },
});

test('a client that nobody has taken sends nothing', async () => {
  let wire: typeof fetch = fetch;
  unbound(origin, (given) => (wire = given));
  await expect(wire(origin)).rejects.toMatchObject({
    name: 'NotSent',
    reason: 'EDOOR',
  });
  expect(asked).toEqual([]);
});

test('each client that was made ahead serves one attempt, under its deadline alone', async () => {
  const credentials = { actions: credentialsOf('a'), reads: credentialsOf('a') };
  const providers = createProviders(credentials, PROCESS_CLOCKS);
  providers.prepare('stripe');
  const over = { leftMs: () => 0 };
  const late = providers.forSending('actions', { deadline: over, transmission: { begun: 0 } });
  const first = late.stripe;
  const second = providers.forReading('actions').stripe;
  expect(second).not.toBe(first);
  await expect(first.customers.list()).rejects.toThrow();
  expect(asked).toEqual([]);
  await second.customers.list();
  expect(asked).toHaveLength(1);
});

test('a credential that was replaced since is used no more', async () => {
  const credentials = { actions: credentialsOf('old'), reads: credentialsOf('old') };
  const providers = createProviders(credentials, PROCESS_CLOCKS);
  for (const provider of ['stripe', 'cloudflare'] as const) providers.prepare(provider);
  credentials.actions = credentialsOf('new');
  credentials.reads = credentialsOf('new');
  await providers.forReading('actions').stripe.customers.list();
  await providers.forReading('actions').cloudflare.accounts.list();
  expect(asked.map(({ authorization }) => authorization)).toEqual([
    'Bearer sk_test_new',
    'Bearer cf_new',
  ]);
});

test('a process that lacks a credential prepares nothing, and says so when it is asked for', () => {
  const providers = createProviders({}, PROCESS_CLOCKS);
  providers.prepare('stripe');
  expect(() => providers.forReading('actions').stripe).toThrow(/no credentials for actions/);
});

test('a credential that cannot be read just now is told to whoever asks for a client, and to nobody before', () => {
  const unreadable = {
    get actions(): never {
      throw new Error('the file is gone');
    },
  };
  const providers = createProviders(unreadable, PROCESS_CLOCKS);
  expect(() => {
    providers.prepare('stripe');
  }).not.toThrow();
  expect(() => providers.forReading('actions').stripe).toThrow('the file is gone');
});

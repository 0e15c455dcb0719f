import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { expectLive } from '../../cli/demo/verdict.js';
import type { Truth } from '../../sandbox/control-client.js';
import { approve, ended, openTestStage, type TestStage } from '../helpers/stage.js';
import { keysSentTwice, retriedBySdk } from '../helpers/truth.js';
import { startStripeMock, type StripeMock } from '../helpers/stripe-mock.js';

/** One run that goes well, as the providers saw it. */
let stage: TestStage;
let mock: StripeMock;
let truth: Truth;
beforeAll(async () => {
  stage = await openTestStage();
  mock = await startStripeMock();
  const run = { runId: 'truth-live', domain: 'silver-ferry.club' };
  const handle = await stage.start(run);
  await approve(stage, handle, 'plan');
  await approve(stage, handle, 'register-domain');
  expect(await ended(handle)).toMatchObject({ phase: 'completed' });
  await expectLive(stage, run);
  truth = await stage.truth();
}, 900_000);
afterAll(async () => {
  mock.close();
  await stage.close();
}, 60_000);

const SDKS = {
  stripe: /^Stripe\/v1 NodeBindings\/\d+\.\d+\.\d+/,
  cloudflare: /^Cloudflare\/JS \d+\.\d+\.\d+/,
} as const;

test('every request names the real package of its provider', () => {
  expect(new Set(truth.requests.map(({ provider }) => provider)).size).toBe(2);
  const strangers = truth.requests.filter(
    ({ provider, headers }) => !SDKS[provider].test(headers['user-agent'] ?? ''),
  );
  expect(strangers.map(({ path, headers }) => `${path}: ${headers['user-agent'] ?? ''}`)).toEqual(
    [],
  );
});

test('each call is attempted once, no key is sent twice, and no route is unknown', () => {
  expect(retriedBySdk(truth)).toEqual([]);
  expect(keysSentTwice(truth)).toEqual([]);
  expect(truth.unknownRoutes).toEqual([]);
  expect(truth.requests.filter(({ status }) => status === null || status >= 500)).toEqual([]);
});

test('nothing is changed but with the credential of the actions, and the upload session it opened', () => {
  const changing = truth.requests.filter(
    ({ method, path }) => method !== 'GET' && !path.endsWith('/domain-check'),
  );
  expect(changing.length).toBeGreaterThan(5);
  const roles = changing.map(({ role }) => role.replace(/^upload-.*/, 'upload session'));
  expect(new Set(roles)).toEqual(new Set(['actions', 'upload session']));
});

test('the vendor’s own mock accepts every change that was asked of Stripe', async () => {
  const changes = truth.requests.filter(
    ({ provider, method }) => provider === 'stripe' && method === 'POST',
  );
  expect(changes.length).toBeGreaterThanOrEqual(2);
  for (const { path, body, headers } of changes) {
    const answer = await fetch(`${mock.url}${path}`, {
      method: 'POST',
      headers: {
        authorization: 'Bearer sk_test_123',
        'content-type': headers['content-type'] ?? 'application/x-www-form-urlencoded',
      },
      body,
    });
    expect({ path, status: answer.status, said: answer.ok ? '' : await answer.text() }).toEqual({
      path,
      status: 200,
      said: '',
    });
  }
}, 60_000);

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { WORLD } from '../../cli/demo/stage.js';
import { expectLive } from '../../cli/demo/verdict.js';
import type { Truth } from '../../sandbox/control-client.js';
import { faultsOfChanges } from '../helpers/cloudflare-requests.js';
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

test('nothing is changed but with the credential of the actions, a token minted for it, and the upload session it opened', () => {
  const changing = truth.requests.filter(
    ({ method, path }) => method !== 'GET' && !path.endsWith('/domain-check'),
  );
  expect(changing.length).toBeGreaterThan(5);
  const roles = changing.map(({ role }) =>
    role.replace(/^upload-.*/, 'upload session').replace(/^token-.*/, 'minted token'),
  );
  expect(new Set(roles)).toEqual(
    new Set(['actions', 'accounts', 'mint-actions', 'minted token', 'upload session']),
  );
});

/** A second run whose site cannot be deployed, so that each of its steps is taken back. */
async function takenBack(): Promise<Truth> {
  await stage.sandbox.faults(WORLD, [
    {
      provider: 'cloudflare',
      method: 'PUT',
      path: '/client/v4/accounts/*/workers/scripts/*',
      times: 1_000,
      fault: 'refuse',
    },
  ]);
  const handle = await stage.start({ runId: 'truth-back', domain: 'copper-ferry.club' });
  await approve(stage, handle, 'plan');
  await approve(stage, handle, 'register-domain');
  expect(await ended(handle)).toMatchObject({ phase: 'reversed' });
  return stage.truth();
}

test('every change that was asked of Cloudflare has the shape of its own package’s types', () => {
  const { faults, types } = faultsOfChanges(truth.requests);
  expect(faults).toEqual([]);
  expect(types).toEqual([
    'AccountCreateParams',
    'DomainUpdateParams',
    'RecordBatchParams',
    'RegistrationCreateParams',
    'TokenCreateParams',
    'UploadCreateParams',
  ]);
});

test('a body that the types do not know is seen', () => {
  const body = JSON.stringify({ domain: 'x.club', years: '1' });
  const [request] = truth.requests.filter(({ path }) => path.endsWith('/registrations'));
  const { faults } = faultsOfChanges([{ ...request!, body }]);
  expect(faults.join()).toMatch(/years must be number.*knows no domain/);
});

test('the vendor’s own mock accepts every change that was asked of Stripe', async () => {
  await expectAccepted(truth);
}, 60_000);

test('what is asked while a run is taken back has those shapes, too', async () => {
  const back = await takenBack();
  await expectAccepted(back);
  expect(faultsOfChanges(back.requests).faults).toEqual([]);
  expect(back.requests.filter(({ method }) => method === 'DELETE').length).toBeGreaterThan(1);
}, 600_000);

/** Asks the mock the same, method and body. */
async function expectAccepted({ requests }: Truth): Promise<void> {
  const changes = requests.filter(
    ({ provider, method }) => provider === 'stripe' && method !== 'GET',
  );
  expect(changes.length).toBeGreaterThanOrEqual(2);
  for (const { path, query, method, body, headers } of changes) {
    const answer = await fetch(`${mock.url}${path}${query === '' ? '' : `?${query}`}`, {
      method,
      headers: {
        authorization: 'Bearer sk_test_123',
        'content-type': headers['content-type'] ?? 'application/x-www-form-urlencoded',
      },
      ...(body === '' ? {} : { body }),
    });
    expect({ path, status: answer.status, said: answer.ok ? '' : await answer.text() }).toEqual({
      path,
      status: 200,
      said: '',
    });
  }
}

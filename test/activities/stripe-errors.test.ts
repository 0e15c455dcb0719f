import { expect, test } from '@jest/globals';
import { classifyStripe, isMissing } from '../../activities/stripe/errors.js';
import type { Classified } from '../../gateway/operation.js';
import { stripeOver, thrownBy, type Answer } from './answers.js';

const CANARY = 'sk_live_CANARY person@example.com';

/** Bodies as Stripe sends them; each holds what must not get out. */
const error = (fields: Record<string, unknown>): unknown => ({
  error: { message: `about ${CANARY}`, ...fields },
});

const ROWS: readonly [string, Answer, Pick<Classified, 'proof' | 'code'>][] = [
  [
    'a declined card',
    {
      status: 402,
      body: error({ type: 'card_error', code: 'card_declined', decline_code: 'generic_decline' }),
    },
    { proof: 'stored-final', code: 'PROVIDER_DECLINED' },
  ],
  [
    'a card that asks for its owner',
    { status: 402, body: error({ type: 'card_error', code: 'authentication_required' }) },
    { proof: 'stored-final', code: 'PROVIDER_DECLINED' },
  ],
  [
    'a wrong parameter',
    {
      status: 400,
      body: error({ type: 'invalid_request_error', code: 'parameter_unknown', param: 'x' }),
    },
    { proof: 'unstored-refusal', code: 'PROVIDER_REFUSED' },
  ],
  [
    'an object that is not there',
    { status: 404, body: error({ type: 'invalid_request_error', code: 'resource_missing' }) },
    { proof: 'unstored-refusal', code: 'PROVIDER_REFUSED' },
  ],
  [
    'a key used for other parameters',
    { status: 400, body: error({ type: 'idempotency_error' }) },
    { proof: 'unstored-refusal', code: 'PROVIDER_CONFLICT' },
  ],
  [
    'a key whose first request still runs',
    {
      status: 409,
      body: error({ type: 'idempotency_error', code: 'idempotency_key_in_use' }),
    },
    { proof: 'unknown', code: 'OUTCOME_UNKNOWN' },
  ],
  [
    'a lock',
    { status: 429, body: error({ type: 'invalid_request_error', code: 'lock_timeout' }) },
    { proof: 'unstored-refusal', code: 'PROVIDER_UNAVAILABLE' },
  ],
  [
    'a rate limit',
    { status: 429, body: error({ type: 'invalid_request_error', code: 'rate_limit' }) },
    { proof: 'unstored-refusal', code: 'PROVIDER_UNAVAILABLE' },
  ],
  [
    'a rate limit told as 400',
    { status: 400, body: error({ type: 'invalid_request_error', code: 'rate_limit' }) },
    { proof: 'unstored-refusal', code: 'PROVIDER_UNAVAILABLE' },
  ],
  [
    'a key of the API that is not one',
    { status: 401, body: error({ type: 'invalid_request_error' }) },
    { proof: 'unstored-refusal', code: 'PROVIDER_AUTH' },
  ],
  [
    'a restricted key without the permission',
    { status: 403, body: error({ type: 'invalid_request_error' }) },
    { proof: 'unstored-refusal', code: 'PROVIDER_AUTH' },
  ],
  [
    'a failure of their own',
    { status: 500, body: error({ type: 'api_error' }) },
    { proof: 'unknown', code: 'OUTCOME_UNKNOWN' },
  ],
  [
    'a failure of their own that is replayed',
    {
      status: 500,
      body: error({ type: 'api_error' }),
      headers: { 'idempotent-replayed': 'true' },
    },
    { proof: 'stored-500', code: 'OUTCOME_UNKNOWN' },
  ],
  [
    'a gateway that gave up',
    { status: 504, body: 'upstream timed out' },
    { proof: 'unknown', code: 'OUTCOME_UNKNOWN' },
  ],
  [
    'a time-out told as a refusal',
    { status: 408, body: error({ type: 'invalid_request_error' }) },
    { proof: 'unknown', code: 'OUTCOME_UNKNOWN' },
  ],
  ['a connection that broke', 'lost', { proof: 'unknown', code: 'OUTCOME_UNKNOWN' }],
];

test.each(ROWS)(
  '%s is known for what it proves, and nothing of its words gets out',
  async (...row) => {
    const [, answer, expected] = row;
    const thrown = await thrownBy(() =>
      stripeOver(() => answer).customers.create(
        { email: 'x@example.com' },
        { idempotencyKey: 'k' },
      ),
    );
    const classified = classifyStripe(thrown);
    expect(classified).toMatchObject(expected);
    expect(JSON.stringify(classified)).not.toMatch(/CANARY|person@|upstream/);
  },
);

test('status, code and request id are kept for the record', async () => {
  const thrown = await thrownBy(() =>
    stripeOver(() => ({
      status: 402,
      body: error({ type: 'card_error', code: 'card_declined' }),
      headers: { 'request-id': 'req_1' },
    })).customers.create({}, { idempotencyKey: 'k' }),
  );
  expect(classifyStripe(thrown)).toMatchObject({
    status: 402,
    providerCode: 'card_declined',
    requestId: 'req_1',
  });
});

test('a key or an address where a code, a parameter or a request id belongs stays out', async () => {
  for (const quoted of [CANARY, 'sk_live_0CANARY0', 'person@example.com', `req_${CANARY}`]) {
    const thrown = await thrownBy(() =>
      stripeOver(() => ({
        status: 400,
        body: error({ type: 'invalid_request_error', code: quoted, param: quoted }),
        headers: { 'request-id': quoted },
      })).customers.create({}, { idempotencyKey: 'k' }),
    );
    expect(classifyStripe(thrown)).toEqual({
      proof: 'unstored-refusal',
      code: 'PROVIDER_REFUSED',
      message: 'the request was refused with 400',
      status: 400,
    });
  }
});

test('only what is not there is missing', async () => {
  const missing = async (status: number, code: string): Promise<boolean> =>
    isMissing(
      await thrownBy(() =>
        stripeOver(() => ({
          status,
          body: error({ type: 'invalid_request_error', code }),
        })).customers.del('cus_1'),
      ),
    );
  expect(await missing(404, 'resource_missing')).toBe(true);
  expect(await missing(403, 'more_permissions_required')).toBe(false);
  expect(await missing(400, 'parameter_missing')).toBe(false);
  expect(await missing(500, '')).toBe(false);
});

test.each([undefined, null, 'text', 7, new Error('plain'), {}])(
  'what is no error of the package (%p) proves nothing',
  (thrown) => {
    expect(classifyStripe(thrown)).toMatchObject({ proof: 'unknown', code: 'OUTCOME_UNKNOWN' });
  },
);

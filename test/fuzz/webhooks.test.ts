import { createHmac } from 'node:crypto';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Failure } from '../../domain/errors.js';
import { readStripeEvent, WEBHOOK_BYTES_MAX } from '../../gateway/stripe/webhook.js';
import {
  CPU_MAX_MS,
  cpuMsOf,
  expectBoth,
  feed,
  type Outcome,
  PATIENCE_MS,
  TEN_MB,
} from './harness.js';
import { mutatedJson, mutatedText, rawText, soup } from './inputs.js';

/** Stripe's events, bodies and signature headers, against inputs that nobody would send. */

const SECRET = 'whsec_a-secret-for-tests-and-nothing-else';
const nowMs = Date.parse('2026-11-21T09:05:00.000Z');
const trust = { secrets: ['whsec_an-older-one', SECRET], livemode: false };
const event = {
  ...{ id: 'evt_1Qabc', object: 'event', type: 'charge.dispute.created', livemode: false },
  ...{ created: 1_795_252_000, api_version: '2026-01-01', pending_webhooks: 1 },
  data: { object: { id: 'dp_1Qabc', object: 'dispute', amount: 1_900, charge: 'ch_1' } },
};
const body = JSON.stringify(event);
const signedAt = (payload: string, ms: number, secret = SECRET): string => {
  const t = Math.floor(ms / 1_000);
  const v1 = createHmac('sha256', secret).update(`${t}.${payload}`).digest('hex');
  return `t=${t},v1=${v1}`;
};

interface Sent {
  readonly payload: string;
  readonly signature: string;
}

function attempt({ payload, signature }: Sent): Outcome {
  try {
    const read = readStripeEvent(trust, { payload: Buffer.from(payload), signature, nowMs });
    // What is taken is what the secret's holder signed, and it is plain words.
    const [, t] = /t=(\d+)/.exec(signature) ?? [];
    expect(signature).toContain(signedAt(payload, Number(t) * 1_000).split('v1=')[1]);
    for (const text of Object.values(read)) expect(text).toMatch(/^[A-Za-z0-9_.]{1,255}$/);
    expect(readStripeEvent(trust, { payload: Buffer.from(payload), signature, nowMs })).toEqual(
      read,
    );
    return 'parsed';
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    expect(error.code).toBe('ADMISSION_REFUSED');
    expect(['webhook-signature', 'webhook-malformed', 'webhook-foreign']).toContain(
      error.details['reason'],
    );
    return 'refused';
  }
}

test(
  'an event of Stripe is parsed or refused, within 100 ms, and never without its signature',
  async () => {
    const good = { payload: body, signature: signedAt(body, nowMs) };
    expect(attempt(good)).toBe('parsed');
    const payload = fc.oneof(
      { weight: 4, arbitrary: mutatedJson([event]) },
      { weight: 3, arbitrary: mutatedText([body]) },
      { weight: 1, arbitrary: fc.oneof(soup, rawText) },
    );
    const input = fc.oneof(
      // Another body under the signature of the good one.
      { weight: 2, arbitrary: payload.map((text) => ({ ...good, payload: text })) },
      // The good body under another header.
      {
        weight: 3,
        arbitrary: fc
          .oneof(mutatedText([good.signature]), soup, rawText)
          .map((signature) => ({ ...good, signature })),
      },
      // Odd bodies that the holder of the secret has signed, in time or not, or somebody else.
      {
        weight: 4,
        arbitrary: fc
          .tuple(
            payload,
            fc.constantFrom(0, 0, 0, -299_000, -301_000),
            fc.constantFrom(SECRET, SECRET, SECRET, 'whsec_foreign', ''),
          )
          .map(([text, ms, secret]) => ({
            payload: text,
            signature: signedAt(text, nowMs + ms, secret === '' ? 'x' : secret),
          })),
      },
    );
    expectBoth(await feed<Sent>('an event', input, attempt));
  },
  PATIENCE_MS,
);

test('10 MB of an event are refused unparsed, even under a good signature', () => {
  const payload = body.replace('"evt_1Qabc"', `"evt_${'a'.repeat(TEN_MB)}"`);
  const signature = signedAt(payload, nowMs);
  const bytes = Buffer.from(payload);
  expect(bytes.length).toBeGreaterThan(WEBHOOK_BYTES_MAX);
  const took = cpuMsOf(() => {
    // By its length, not by what parsing it would have shown: its id.
    expect(() => readStripeEvent(trust, { payload: bytes, signature, nowMs })).toThrow(
      /^this event has more than \d+ bytes$/,
    );
  });
  expect(took).toBeLessThanOrEqual(CPU_MAX_MS);
});

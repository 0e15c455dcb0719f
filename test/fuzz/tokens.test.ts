import { createHmac } from 'node:crypto';
import { beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { CryptoKey } from 'jose';
import { Problem } from '../../server/problem.js';
import { createVerifier, type VerifyToken } from '../../server/verify-token.js';
import {
  CPU_MAX_MS,
  cpuMsOf,
  expectBoth,
  feed,
  type Outcome,
  PATIENCE_MS,
  TEN_MB,
} from './harness.js';
import { mutatedText, mutatedValue, rawText, soup } from './inputs.js';

/** Access tokens against everything but the one that the issuer gave out: none of it opens anything. */

const ISSUER = 'https://id.example';
const AUDIENCE = 'https://countersign.example';
const nowS = Date.parse('2026-11-21T09:05:00.000Z') / 1_000;
const claims = {
  ...{ iss: ISSUER, aud: AUDIENCE, sub: 'ada', iat: nowS - 60, exp: nowS + 240 },
  ...{ jti: 'x1', sid: 's1', auth_time: nowS - 600, client_id: 'cli' },
};
const header = { alg: 'ES256', typ: 'at+jwt', kid: 'k1' };

let verify: VerifyToken;
let key: CryptoKey;
let foreign: CryptoKey;
let publicText: string;
let original: string;

const signWith = (of: CryptoKey, payload: object, changes: object = {}): Promise<string> =>
  new SignJWT(payload as Record<string, unknown>)
    .setProtectedHeader({ ...header, ...changes })
    .sign(of);

beforeAll(async () => {
  const pair = await generateKeyPair('ES256', { extractable: true });
  key = pair.privateKey;
  foreign = (await generateKeyPair('ES256')).privateKey;
  const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' };
  publicText = JSON.stringify(jwk);
  verify = createVerifier({
    issuers: [ISSUER],
    audience: AUDIENCE,
    nowMs: () => nowS * 1_000,
    read: (url) =>
      Promise.resolve(
        url.endsWith('/jwks') ? { keys: [jwk] } : { issuer: ISSUER, jwks_uri: `${ISSUER}/jwks` },
      ),
  });
  original = await signWith(key, claims);
});

/** Refused with one answer for all reasons, or accepted as `holds` allows. */
async function attempt(token: string, holds: () => boolean): Promise<Outcome> {
  try {
    const { iss, sub } = await verify(token);
    expect(holds()).toBe(true);
    expect(iss).toBe(ISSUER);
    expect(sub.length).toBeGreaterThan(0);
    return 'parsed';
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    expect([error.status, error.code]).toEqual([401, 'token-invalid']);
    expect(error.message).toBe('this token is not good here');
    return 'refused';
  }
}

const encoded = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value ?? null)).toString(
    'base64url',
  );

/** The same bytes: the last character of a signature has bits that say nothing. */
const sameAsOriginal = (token: string): boolean => {
  const [head, payload, signature, ...more] = token.split('.');
  const [goodHead, goodPayload, goodSignature] = original.split('.');
  return (
    more.length === 0 &&
    head === goodHead &&
    payload === goodPayload &&
    Buffer.from(signature ?? '', 'base64url').equals(Buffer.from(goodSignature ?? '', 'base64url'))
  );
};

test(
  'no change of a token is accepted, and each is refused in the same words, within 100 ms',
  async () => {
    expect(await attempt(original, () => true)).toBe('parsed');
    const [head = '', payload = '', signature = ''] = original.split('.');
    const heads = [header, { ...header, alg: 'none' }, { ...header, alg: 'HS256' }];
    const unsigned = fc
      .tuple(mutatedValue(heads), mutatedValue([claims]))
      .map(([one, other]) => [encoded(one), encoded(other)] as const);
    const input = fc.oneof(
      mutatedText([original]),
      mutatedValue(heads).map((of) => [encoded(of), payload, signature].join('.')),
      mutatedValue([claims]).map((of) => [head, encoded(of), signature].join('.')),
      unsigned.map(([one, other]) => `${one}.${other}.`),
      // Signed with what everybody can read, as if it were a secret.
      unsigned.map(([one, other]) => {
        const mac = createHmac('sha256', publicText).update(`${one}.${other}`).digest('base64url');
        return `${one}.${other}.${mac}`;
      }),
      fc.oneof(soup, rawText).map((of) => [head, encoded(of), signature].join('.')),
      fc.oneof(soup, rawText, fc.constant('.'.repeat(8_000))),
    );
    const seen = await feed('a changed token', input, (token) =>
      attempt(token, () => sameAsOriginal(token)),
    );
    // What is accepted are edits that left the bytes as they were.
    expect(seen.refused).toBeGreaterThan(seen.parsed * 20);
  },
  PATIENCE_MS,
);

test(
  'what the issuer itself has signed is accepted only with the claims that count',
  async () => {
    const counts = (of: unknown): boolean => {
      const { aud, exp, iat, iss, sub } = of as Record<string, unknown>;
      if (iss !== ISSUER || typeof sub !== 'string' || sub === '') return false;
      if (![aud].flat().includes(AUDIENCE)) return false;
      if (typeof iat !== 'number' || typeof exp !== 'number') return false;
      return exp > nowS - 31 && iat <= nowS + 31 && exp - iat <= 3_600;
    };
    const input = fc.tuple(
      mutatedValue([claims]).map((of) =>
        typeof of === 'object' && of !== null && !Array.isArray(of) ? of : { of },
      ),
      fc.constantFrom({}, {}, {}, { typ: 'JWT' }, { typ: undefined }, { kid: 'k2' }),
      fc.constantFrom('ours', 'ours', 'ours', 'foreign'),
    );
    const seen = await feed('a signed token', input, async ([payload, changes, whose]) => {
      let token: string;
      try {
        token = await signWith(whose === 'ours' ? key : foreign, payload, changes);
      } catch {
        // The library signs no such thing: then nobody can send it.
        return 'refused';
      }
      const sent: unknown = JSON.parse(JSON.stringify(payload));
      return attempt(
        token,
        () => whose === 'ours' && Object.keys(changes).length === 0 && counts(sent),
      );
    });
    expectBoth(seen);
  },
  PATIENCE_MS,
);

test('10 MB of a token are refused unparsed', async () => {
  for (const token of [
    'a'.repeat(TEN_MB),
    `${original}${'A'.repeat(TEN_MB)}`,
    '.'.repeat(TEN_MB),
  ]) {
    let told: Promise<unknown> = Promise.resolve();
    const took = cpuMsOf(() => {
      told = verify(token).catch((error: unknown) => error);
    });
    expect(took).toBeLessThanOrEqual(CPU_MAX_MS);
    // Its cause, which the log has: not what parsing it would have said.
    expect(await told).toMatchObject({ status: 401, cause: 'too long' });
  }
});

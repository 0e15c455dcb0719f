import { beforeAll, expect, test } from '@jest/globals';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { CryptoKey, JWK, JWTPayload } from 'jose';
import { createVerifier } from '../../server/verify-token.js';
import type { VerifyToken } from '../../server/verify-token.js';

/** Two trusted issuers and one that nobody knows; what they publish is read as an issuer's documents are. */
const AUDIENCE = 'https://countersign.example';
const OURS = 'https://login.example';
const SECOND = 'https://second.example';
const LIAR = 'https://liar.example';
const keys: Record<string, CryptoKey> = {};
const published: Record<string, JWK> = {};
const ALGORITHMS = ['ES256', 'RS256', 'RS512', 'ES512'] as const;
const asked: string[] = [];
let verify: VerifyToken;

beforeAll(async () => {
  for (const name of [...ALGORITHMS, 'second']) {
    const pair = await generateKeyPair(name === 'second' ? 'ES256' : name, { extractable: true });
    keys[name] = pair.privateKey;
    // Without an `alg` of their own: what a key may be used for is then only the verifier's to say.
    published[name] = { ...(await exportJWK(pair.publicKey)), kid: name };
  }
  const documents: Record<string, unknown> = {
    [`${OURS}/.well-known/openid-configuration`]: { issuer: OURS, jwks_uri: `${OURS}/jwks` },
    [`${OURS}/jwks`]: { keys: ALGORITHMS.map((name) => published[name]) },
    [`${SECOND}/.well-known/openid-configuration`]: { issuer: SECOND, jwks_uri: `${SECOND}/jwks` },
    [`${SECOND}/jwks`]: { keys: [published['second']] },
    [`${LIAR}/.well-known/openid-configuration`]: { issuer: OURS, jwks_uri: `${OURS}/jwks` },
  };
  verify = createVerifier({
    ...{ issuers: [OURS, SECOND, LIAR], audience: AUDIENCE },
    read: (url) => {
      asked.push(url);
      return Promise.resolve(documents[url]);
    },
  });
});

async function token(
  alg: (typeof ALGORITHMS)[number],
  change: JWTPayload = {},
  kid: string = alg,
): Promise<string> {
  const now = Math.floor(Date.now() / 1_000);
  const claims = { iss: OURS, sub: 'ada', aud: AUDIENCE, iat: now, exp: now + 600, ...change };
  return new SignJWT(claims).setProtectedHeader({ alg, typ: 'at+jwt', kid }).sign(keys[kid]!);
}

test.each(['ES256', 'RS256'] as const)('a good token signed with %s is taken', async (alg) => {
  expect(await verify(await token(alg))).toMatchObject({ iss: OURS, sub: 'ada' });
});

test.each(['RS512', 'ES512'] as const)(
  'a good token signed with %s, which is not on the list, is refused',
  async (alg) => {
    await expect(verify(await token(alg))).rejects.toMatchObject({ status: 401 });
  },
);

test('a token that names one trusted issuer and is signed by another is refused', async () => {
  await expect(verify(await token('ES256', {}, 'second'))).rejects.toMatchObject({ status: 401 });
  const second = await token('ES256', { iss: SECOND }, 'second');
  expect(await verify(second)).toMatchObject({ iss: SECOND });
});

test('a token of an issuer that is not trusted is refused before anything is asked of it', async () => {
  asked.length = 0;
  const foreign = await token('ES256', { iss: 'https://evil.example' });
  await expect(verify(foreign)).rejects.toMatchObject({ status: 401, code: 'token-invalid' });
  expect(asked).toEqual([]);
});

test('metadata that names another issuer gives nobody its keys', async () => {
  await expect(verify(await token('ES256', { iss: LIAR }))).rejects.toMatchObject({
    ...{ status: 503, code: 'issuer-unreachable' },
  });
});

test.each([
  ['another audience', { aud: 'https://other.example' }],
  ['no audience', { aud: undefined as unknown as string }],
])('a token for %s is refused', async (_title, change) => {
  await expect(verify(await token('ES256', change))).rejects.toMatchObject({ status: 401 });
});

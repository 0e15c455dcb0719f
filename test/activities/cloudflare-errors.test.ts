import { expect, test } from '@jest/globals';
import { disableAutoRenew, registerDomain } from '../../activities/cloudflare/register-domain.js';
import { deploySite, restoreSite } from '../../activities/cloudflare/deploy-site.js';
import {
  classifyCloudflare,
  isMissing,
  orInvisible,
  orMissing,
} from '../../activities/cloudflare/errors.js';
import { cloudflareReaders } from '../../activities/cloudflare/readers.js';
import type { Classified, OperationContext } from '../../gateway/operation.js';
import { cloudflareOver, thrownBy, type Answer } from './answers.js';

const CANARY = 'CANARY person@example.com';

const refusal = (status: number, code: number | undefined, message = CANARY): Answer => ({
  status,
  body: {
    success: false,
    errors: code === undefined ? null : [{ code, message }],
    messages: [],
    result: null,
  },
  headers: { 'cf-ray': '9f0c2b7d51e8a346-AMS' },
});

const REFUSED = { proof: 'unstored-refusal', code: 'PROVIDER_REFUSED' } as const;
const BUSY = { proof: 'unstored-refusal', code: 'PROVIDER_UNAVAILABLE' } as const;
const AUTH = { proof: 'unstored-refusal', code: 'PROVIDER_AUTH' } as const;
const UNKNOWN = { proof: 'unknown', code: 'OUTCOME_UNKNOWN' } as const;

const ROWS: readonly [string, Answer, Pick<Classified, 'proof' | 'code'>][] = [
  ['a Worker with a syntax error', refusal(400, 10021), REFUSED],
  ['a hostname of another custom domain', refusal(409, 100116), REFUSED],
  ['a hostname with records of its own', refusal(409, 100117), REFUSED],
  ['a record that is there already', refusal(400, 81057), REFUSED],
  ['a malformed token', refusal(400, 6003), REFUSED],
  ['a conflict without a code', refusal(409, undefined), BUSY],
  ['too many requests', refusal(429, 10000), BUSY],
  ['a token that is none', refusal(401, 10000), AUTH],
  ['a token without the permission', refusal(403, 10000), AUTH],
  ['an account that is not open to us', refusal(403, 9109), AUTH],
  ['a lock in their database', refusal(400, 10013), UNKNOWN],
  ['a failure of their own', refusal(500, 10013), UNKNOWN],
  ['an answer that is no JSON', { status: 502, body: 'bad gateway CANARY' }, UNKNOWN],
  ['a time-out told as a refusal', refusal(408, undefined), UNKNOWN],
  ['a connection that was closed over it', refusal(499, undefined), UNKNOWN],
  ['a connection that broke', 'lost', UNKNOWN],
];

test.each(ROWS)(
  '%s is known for what it proves, and nothing of its words gets out',
  async (...row) => {
    const [, answer, expected] = row;
    const thrown = await thrownBy(() =>
      cloudflareOver(() => answer).zones.get({ zone_id: '0'.repeat(32) }),
    );
    const classified = classifyCloudflare(thrown);
    expect(classified).toMatchObject(expected);
    expect(JSON.stringify(classified)).not.toMatch(/CANARY|person@/);
  },
);

test('a token where a ray belongs stays out', async () => {
  const quoted = `v1.0-${CANARY.replaceAll(' ', '-')}-${'0f'.repeat(20)}`;
  const body = { success: false, errors: [{ code: 10000, message: quoted }], result: null };
  const answer = { status: 400, body, headers: { 'cf-ray': quoted } };
  const thrown = await thrownBy(() =>
    cloudflareOver(() => answer).accounts.get({ account_id: '0'.repeat(32) }),
  );
  expect(classifyCloudflare(thrown)).not.toHaveProperty('requestId');
});

test('status, code and ray are kept for the record', async () => {
  const thrown = await thrownBy(() =>
    cloudflareOver(() => refusal(400, 10021)).zones.get({ zone_id: '0'.repeat(32) }),
  );
  expect(classifyCloudflare(thrown)).toMatchObject({
    status: 400,
    providerCode: '10021',
    requestId: '9f0c2b7d51e8a346-AMS',
  });
});

test('only what is not there is missing; what is not open to us is missing for an account alone', async () => {
  const of = (answer: Answer) =>
    thrownBy(() => cloudflareOver(() => answer).zones.get({ zone_id: '0'.repeat(32) }));
  for (const code of [7003, 81044, 10007, 100114])
    expect(isMissing(await of(refusal(404, code)))).toBe(true);
  for (const answer of [refusal(403, 9109), refusal(403, 10000), refusal(500, 10013)])
    expect(isMissing(await of(answer))).toBe(false);
  const shutOut = () =>
    cloudflareOver(() => refusal(403, 9109)).accounts.get({ account_id: '0'.repeat(32) });
  await expect(orInvisible(shutOut)).resolves.toBeUndefined();
  await expect(orMissing(shutOut)).rejects.toThrow();
});

const context = (answer: Answer): OperationContext<'cloudflare'> => ({
  client: cloudflareOver(() => answer),
  account: 'a'.repeat(32),
  marker: `${'0'.repeat(32)}/r/deploy-site/act`,
  key: 'k',
  bundle: () => Promise.resolve([]),
  costMaxMinor: 1_120,
});

test('a site whose account has shut us out is not called deleted, nor never deployed', async () => {
  const wanted = { script: 'cs-x', bundle: 'sha256:0', compatibility_date: '2026-01-01' };
  const made = { object: 'cs-x', capturedMinor: 0, fields: {} };
  const shutOut = context(refusal(403, 9109));
  await expect(restoreSite.readBack(shutOut, wanted, made)).rejects.toThrow();
  await expect(deploySite.find(shutOut, wanted)).rejects.toThrow();
  const gone = context(refusal(404, 10007));
  await expect(restoreSite.readBack(gone, wanted, made)).resolves.toMatchObject({ done: true });
});

test('a name whose account has shut us out is not called unregistered, nor kept from renewing', async () => {
  const wanted = {
    domain_name: 'x.club',
    years: 1,
    auto_renew: false,
    privacy_mode: 'redaction',
  } as const;
  const made = { object: 'x.club', capturedMinor: 1_120, fields: {} };
  const shutOut = context(refusal(403, 9109));
  await expect(disableAutoRenew.readBack(shutOut, wanted, made)).rejects.toThrow();
  await expect(registerDomain.find(shutOut, wanted)).rejects.toThrow();
});

test('an account that is not open to us is one to ask its owner for', async () => {
  const client = cloudflareOver(() => refusal(403, 9109));
  await expect(cloudflareReaders.account(client, 'a'.repeat(32))).resolves.toBeUndefined();
});

import { createPrivateKey, createPublicKey, sign as signWith } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ed25519 } from '@noble/curves/ed25519.js';
import { p256 } from '@noble/curves/nist.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { canonicalBytes, canonicalize } from '../../domain/canonical.js';
import { type KeyAlgorithm, p256Spki, readPublicKey } from '../../domain/public-key.js';
import { plan, seedOf, statement, type Json } from './decision-facts.js';

/** Assertions of passkeys, good ones and one bad one for each check. Test keys only. */

const file = new URL('../vectors/approval.json', import.meta.url);
const { webauthn } = JSON.parse(readFileSync(file, 'utf8')) as {
  webauthn: Record<
    | 'p256PrivHex'
    | 'publicKeyUncompressedHex'
    | 'keyId'
    | 'credentialId'
    | 'clientDataJSON'
    | 'authenticatorData'
    | 'signature',
    string
  > & { statement: Json };
};
const RSA_TEST_KEY = {
  kty: 'RSA',
  n: '4aOgrUDLDpLlsa1i4qNZC0qetH_8k9mF4442TVbCePQaW6ww0R0iQjZ-gZYa6pH-mmLHCb6X9ulA6QWQNM-cezUfpQKQvCDO8cTDQRoclw12rkFmaUNYRO8j8zFJ7Hd6WWA7jsIMC_HDUJaEtfzlpl2Cm7fPu79nmiBpUVzjNhYqpdMqGTuWEmMKL8QDFLOyTvghg4FIhDhF48jO9TZuxWEKryXJsoW8AjjMyHokinMUPts4b5S3zrnj0sCvqK7offIX4eGf1_ixB76NX4DJbLjdOXhm4H3cIMteRGsCKSUpLUg0Z3Egh4HA2DFzliUtKv2B48seL5RGfreZ0tCj6w',
  e: 'AQAB',
  d: 'YRgRJxxvhFjv4DIVECNsSLCWdGNyo4iB1ba3ZTZFPtkDkpkY9JMNz-I1M7wM3w1tuq9wqJ_MMqKSnPMY57DCzD3C3TWqZFnV0zFxN81tqg5QGJHp6Lfi_t7M4HRANDIBgv4nAro7htRE0KPEfa9SfvFUJ3_EMy0c_rSdvTY0S2wVYVwKr9jW5eHu0urXN63WdLiWLqB7pvt1R6sshC8daul9-BxWuCy-_y3DSJkMwc6DQYD0Vs5KPVVCTTosbJWV9jeQlDWHmdv18HnXov8_QCrg7kS4_pNnfsCn4q1TLjvAPrKD2PYpcbr37jtKPfjkfOpFL8ajNIndmXwty_ViWQ',
  p: '--2ioMYKV1ax09TiUKusz-QhwshvodisRGzewoJwfPOAQOpyJ1pfVqgwhGAm43C4YQSB2v0n57wc1ID9WI1jIGwrdY50N75o0eyqvZHiDeQPR68K90Y65QI0teHL7OFVV7lo4Ts0UZhCFCBcSWJQ9W2iiha9ci4WoLaniOwvUd8',
  q: '5Uk4VXAZm-sPqMfacU81nXw_fZfLy7GcG29ER3oxa0UhGHm-kLOjyyif6ZQj5IuwLbHmf1FpsIyfS9hTkd5kyR17OkCQHMUGgntrwWFVU_1rJZo1KTPOn_2JBr6tJ6O-AN7T8hLPkqHnLej1imofFhvK8w_gOqkANfWUj7uw53U',
  dp: 'gFZ8pH5-wiNuD8XBTOtH69gBwuKsy7w_ddQoXtpoR58cVPWaFaYaL2Ea5jS9WtwPcY0EQfT5ITpZTYAwj63nM5snQInDdqpPZ7GzAUOR7xWhGxl28qUaV5OaGpXedtwLx9ayMRsh-fcgonQhz1iAeabSSJpxA_uql1C1ZDE9oe0',
  dq: 'K6e7QBkt5w_kVWBn6PcJ4EhN1l3WgZv5ewe-WlWbny70VDKp4-cwInhDqjd4dgVar_iVSFx54RGFKu2vS7CqQ9iHI9ozFic1TBavt4wOsQUpJ2mrAYNJrhCZzFz1nvyAKq5CcG7Acsy8tXMLfSUjchQsmgbFzKVs0tlFRfCYiBk',
  qi: 'Ahhisir-SqndStpvfRiFZ_E0pWyaTBqABnPMeQAM6J1xlc-nq9f-U_GurXhfM4XZrUmMnNJBT0ck2NRkBW0GaTs-FbVfu_ebWiI0Of8y-hx72V6LC2MOWF3CRXteEb0IiO3e_rlRIM4wLinmf4trNUkznWmMSjbXY5L1VBRLqpA',
};
const hex = (text: string): Uint8Array => Buffer.from(text, 'hex');
const b64u = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');

export const relyingParty = {
  rpId: 'countersign.example',
  origins: ['https://countersign.example'],
};
const ACTIVE_MS = Date.parse('2026-11-01T00:00:00.000Z');
const HANDLE = b64u(sha256(Buffer.from('handle of alice')).slice(0, 16));

interface Passkey {
  readonly record: Json;
  readonly sign: (message: Uint8Array) => Uint8Array;
}

function passkey(
  of: { algorithm: KeyAlgorithm; publicKey: string; credentialId: string; person?: string },
  sign: Passkey['sign'],
  changes: Json = {},
): Passkey {
  const { algorithm, credentialId, person = 'p_alice', publicKey } = of;
  const read = readPublicKey(algorithm, publicKey);
  if (typeof read === 'string') throw new Error(read);
  return {
    record: {
      keyId: read.keyId,
      person,
      algorithm,
      publicKey,
      activeFromMs: ACTIVE_MS,
      revoked: false,
      passkey: {
        credentialId,
        rpId: relyingParty.rpId,
        handle: HANDLE,
        counter: 6,
        backupEligible: false,
        ...changes,
      },
    },
    sign,
  };
}

const es256 = (secret: Uint8Array) => (message: Uint8Array) =>
  p256.sign(message, secret, { format: 'der', lowS: false });
const spkiOf = (secret: Uint8Array): string => b64u(p256Spki(p256.getPublicKey(secret, false)));
const aliceSecret = hex(webauthn.p256PrivHex);
const alice = passkey(
  {
    algorithm: 'ES256',
    publicKey: spkiOf(aliceSecret),
    credentialId: webauthn.credentialId,
  },
  es256(aliceSecret),
);
const syncedSecret = seedOf('alice-synced');
const synced = passkey(
  { algorithm: 'ES256', publicKey: spkiOf(syncedSecret), credentialId: 'c3luY2Vk' },
  es256(syncedSecret),
  { counter: 0, backupEligible: true },
);
const bobSecret = seedOf('bob-passkey');
const bob = passkey(
  {
    algorithm: 'ES256',
    publicKey: spkiOf(bobSecret),
    credentialId: 'Ym9iLXBhc3NrZXk',
    person: 'p_bob',
  },
  es256(bobSecret),
);
const edSeed = seedOf('alice-eddsa');
const eddsa = passkey(
  {
    algorithm: 'EdDSA',
    publicKey: b64u(Buffer.concat([hex('302a300506032b6570032100'), ed25519.getPublicKey(edSeed)])),
    credentialId: 'ZWRkc2E',
  },
  (message) => ed25519.sign(message, edSeed),
);

/** Drawn once: an RSA key cannot be made from a seed in a line. */
const rsaKey = createPrivateKey({
  key: RSA_TEST_KEY,
  format: 'jwk',
});
const rs256 = passkey(
  {
    algorithm: 'RS256',
    publicKey: b64u(createPublicKey(rsaKey).export({ type: 'spki', format: 'der' })),
    credentialId: 'cnMyNTY',
  },
  (message) => signWith('sha256', message, rsaKey),
);

export const passkeys = [alice, synced, bob, eddsa, rs256].map(({ record }) => record);

interface Bend {
  readonly client?: Json;
  readonly origin?: string;
  readonly rpId?: string;
  readonly flags?: number;
  readonly counter?: number;
  readonly credentialId?: string;
  readonly userHandle?: string;
  readonly challengeOf?: Json;
  /** The challenge, with one bit turned. */
  readonly bit?: true;
  readonly tail?: string;
}

const turned = (bytes: Uint8Array, bit: true | undefined): Uint8Array =>
  bit === undefined ? bytes : bytes.map((byte, index) => (index === 31 ? byte ^ 1 : byte));

function message(by: Passkey, bend: Bend = {}, changes: Json = {}): string {
  const record = by.record as { keyId: string; person: string };
  const of = statement({
    keyId: record.keyId,
    approver: record.person,
    surface: 'inbox',
    ...changes,
  });
  return asserted(of, by, bend);
}

/** A statement with the assertion that a passkey gives for it. */
function asserted(of: Json, by: Passkey, bend: Bend = {}): string {
  const record = by.record as { passkey: { credentialId: string } };
  const client = Buffer.from(
    JSON.stringify({
      type: 'webauthn.get',
      challenge: b64u(turned(sha256(canonicalBytes(bend.challengeOf ?? of)), bend.bit)),
      origin: bend.origin ?? 'https://countersign.example',
      crossOrigin: false,
      ...bend.client,
    }),
  );
  const counter = Buffer.alloc(4);
  counter.writeUInt32BE(bend.counter ?? 7);
  const device = Buffer.concat([
    sha256(Buffer.from(bend.rpId ?? relyingParty.rpId)),
    Buffer.from([bend.flags ?? 0x05]),
    counter,
    Buffer.from(bend.tail ?? '', 'hex'),
  ]);
  return canonicalize({
    ...of,
    signature: {
      kind: 'webauthn',
      credentialId: bend.credentialId ?? record.passkey.credentialId,
      clientDataJSON: b64u(client),
      authenticatorData: b64u(device),
      signature: b64u(by.sign(Buffer.concat([device, sha256(client)]))),
      ...(bend.userHandle === undefined ? {} : { userHandle: bend.userHandle }),
    },
  });
}

/** The same as Alice's passkey gives it. */
export const byAlicesPasskey = (of: Json, bend: Bend = {}): string =>
  asserted({ ...of, keyId: (alice.record as { keyId: string }).keyId }, alice, bend);

const given = canonicalize({
  ...webauthn.statement,
  signature: {
    kind: 'webauthn',
    credentialId: webauthn.credentialId,
    clientDataJSON: webauthn.clientDataJSON,
    authenticatorData: webauthn.authenticatorData,
    signature: webauthn.signature,
  },
});
/** One character of what the authenticator wrote, exchanged after it has signed. */
const bent = (text: string, at: number): string =>
  text.replace(
    new RegExp(`("authenticatorData":"[^"]{${at}})(.)`),
    (_, before: string, one: string) => `${before}${one === 'B' ? 'C' : 'B'}`,
  );

const good = (name: string, text: string) => ({ name, message: text, expect: 'accepted' });
const bad = (name: string, bend: Bend, expect: string, by = alice) => ({
  name: `passkey: ${name}`,
  message: message(by, bend),
  expect,
});

export const webauthnCases = [
  good('passkey: the assertion of approval.json, counter 7 over 6', given),
  good('passkey: ES256 with its handle', message(alice, { userHandle: HANDLE })),
  good('passkey: EdDSA', message(eddsa)),
  good('passkey: RS256', message(rs256)),
  good('passkey: synced, counter 0 over 0', message(synced, { counter: 0, flags: 0x1d })),
  bad('shorter than an authenticator writes', { tail: '00' }, 'webauthn-malformed'),
  bad('webauthn.create', { client: { type: 'webauthn.create' } }, 'webauthn-type'),
  bad('one bit of the challenge', { bit: true }, 'webauthn-challenge'),
  bad('the challenge of another statement', { challengeOf: { a: 1 } }, 'webauthn-challenge'),
  bad('a port in the origin', { origin: 'https://countersign.example:8443' }, 'webauthn-origin'),
  bad('http', { origin: 'http://countersign.example' }, 'webauthn-origin'),
  bad('a sub-domain', { origin: 'https://a.countersign.example' }, 'webauthn-origin'),
  bad('in a frame of another site', { client: { crossOrigin: true } }, 'webauthn-cross-origin'),
  bad(
    'under the page of another site',
    { client: { topOrigin: 'https://evil.example' } },
    'webauthn-cross-origin',
  ),
  bad('a sub-domain as rpId', { rpId: 'a.countersign.example' }, 'webauthn-rp-id'),
  bad('nobody there', { flags: 0x04 }, 'webauthn-user-presence'),
  bad('UP only', { flags: 0x01 }, 'webauthn-user-verification'),
  bad('copied though it may not be', { flags: 0x15 }, 'webauthn-backup-flags'),
  bad('may be copied now, and could not at enrolment', { flags: 0x0d }, 'webauthn-backup-flags'),
  bad("another person's credential", { credentialId: 'Ym9iLXBhc3NrZXk' }, 'webauthn-credential'),
  bad("another person's handle", { userHandle: 'AAAAAAAAAAAAAAAAAAAAAA' }, 'webauthn-user-handle'),
  {
    name: 'passkey: one character of the site after signing',
    message: bent(message(alice), 0),
    expect: 'webauthn-rp-id',
  },
  {
    name: 'passkey: one character of the counter after signing',
    message: bent(message(alice, { counter: 7 }), 45),
    expect: 'webauthn-signature',
  },
  {
    name: 'passkey: RS256 signed by another key',
    message: message({ record: rs256.record, sign: bob.sign }),
    expect: 'webauthn-signature',
  },
  {
    name: 'passkey: signed by another key',
    message: message({ record: alice.record, sign: bob.sign }),
    expect: 'webauthn-signature',
  },
  bad('counter equal', { counter: 6 }, 'webauthn-counter'),
  bad('counter lower', { counter: 5 }, 'webauthn-counter'),
  {
    name: 'passkey: the key of another approver',
    message: message(bob, {}, { approver: 'p_alice' }),
    expect: 'key-not-of-approver',
  },
  {
    name: 'passkey: where two persons are asked for a key that cannot be copied',
    message: message(synced, { counter: 0, flags: 0x1d }, plan),
    policy: { keys: { deviceBound: 'several-persons' } },
    expect: 'webauthn-device-bound',
  },
];

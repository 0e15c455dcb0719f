import { randomBytes } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { encodeBase64url } from '../../domain/base64url.js';
import type { GlassFacts } from '../../domain/break-glass.js';
import { judgeGlass, judgeGlassAtReceipt, readBreakGlass } from '../../domain/break-glass.js';
import { digestOf } from '../../domain/canonical.js';
import { builtInPolicy } from '../../domain/policy/built-in.js';
import { registerOf } from '../../domain/register.js';
import { keyIdOf, publicKeyOf, signStatement } from '../../domain/signature.js';
import { gateOf } from '../cli/gate-fixture.js';
import { Authenticator } from '../helpers/authenticator.js';
import { instance } from './fixtures.js';

const MINUTE_MS = 60_000;
const seed = randomBytes(32);
const publicKey = publicKeyOf(seed);
const keyId = keyIdOf(publicKey);
const passkey = new Authenticator();
const { gate: whole } = gateOf('plan');
const gate = { ...whole, environment: 'development' } as const;
const fromMs = Date.parse('2026-11-21T10:00:00.000Z');
const untilMs = fromMs + 30 * MINUTE_MS;
const instant = (ms: number): string => new Date(ms).toISOString();

const statementWith = (change: Record<string, unknown> = {}) => ({
  type: 'countersign.break-glass.v1',
  instance,
  runId: gate.runId,
  gateId: gate.gateId,
  actionDigest: digestOf(gate),
  approver: 'p_bob',
  keyId,
  decidedAt: instant(fromMs),
  expiresAt: instant(untilMs),
  reason: 'the shop is down and nobody else answers',
  ...change,
});
const signed = (statement: object) =>
  readBreakGlass({ ...statement, signature: signStatement(statement, seed) })!;
const byPasskey = (statement: object, ceremony: object = {}) =>
  readBreakGlass({ ...statement, signature: passkey.sign(statement, ceremony) })!;

const person = (id: string) =>
  ({ person: id, name: id, kind: 'human', active: true, groups: ['approvers'] }) as const;
const factsWith = (change: Partial<GlassFacts> = {}): GlassFacts => ({
  instance,
  gate: { document: gate, digest: digestOf(gate), state: 'open' },
  steps: ['start-subscription'],
  register: registerOf(
    [person('p_bob')],
    [
      {
        keyId,
        person: 'p_bob',
        publicKey: encodeBase64url(publicKey),
        activeFromMs: 0,
        revoked: false,
      },
      {
        keyId: passkey.keyId,
        person: 'p_bob',
        algorithm: 'ES256',
        publicKey: passkey.publicKey,
        activeFromMs: 0,
        revoked: false,
        passkey: {
          credentialId: passkey.credentialId,
          rpId: 'localhost',
          handle: passkey.handle,
          counter: 6,
          backupEligible: false,
        },
      },
    ],
  ),
  relyingParty: { rpId: 'localhost', origins: ['http://localhost:4000'] },
  policy: builtInPolicy({
    override: {
      breakGlass: [
        {
          person: 'p_bob',
          maxMinutes: 30,
          environments: ['development', 'production'],
          steps: ['*'],
        },
      ],
    },
  }),
  roles: { requester: 's_local', agent: 'launch-agent', owner: 'p_owner', principal: 'pr_owner' },
  nowMs: fromMs,
  ...change,
});

test('it stands a millisecond before its end, and with its end no more', () => {
  const glass = signed(statementWith());
  expect(judgeGlass(glass, factsWith({ nowMs: untilMs - 1 })).stands).toBe(true);
  for (const nowMs of [untilMs, untilMs + 1])
    expect(judgeGlass(glass, factsWith({ nowMs }))).toEqual({
      stands: false,
      reason: 'break-glass-expired',
    });
});

test('a clock that runs ahead lends it no millisecond beyond what the policy gives', () => {
  const ahead = (ms: number) =>
    judgeGlassAtReceipt(
      signed(statementWith({ decidedAt: instant(fromMs + ms), expiresAt: instant(untilMs + ms) })),
      factsWith(),
    );
  expect(ahead(0).stands).toBe(true);
  expect(ahead(1)).toEqual({ stands: false, reason: 'break-glass-too-long' });
});

test.each([
  ['requester', 'excluded-requester', { requester: 'p_bob' }],
  ['agent', 'excluded-agent', { agent: 'p_bob' }],
  ['owner of the agent', 'excluded-owner', { owner: 'p_bob' }],
  ['former owner of the agent', 'excluded-owner', { formerOwners: ['p_bob'] }],
] as const)('the %s of a run never passes its gates alone', (_what, reason, change) => {
  const facts = factsWith();
  expect(
    judgeGlass(signed(statementWith()), { ...facts, roles: { ...facts.roles, ...change } }),
  ).toEqual({ stands: false, reason });
});

test.each([
  ['of another run', 'gate-unknown', { runId: 'other' }],
  ['for another gate', 'gate-unknown', { gateId: gate.gateId.replace(':1', ':2') }],
  ['over another digest', 'digest-mismatch', { actionDigest: `sha256:${'1'.repeat(64)}` }],
  ['of another installation', 'instance-mismatch', { instance: '1'.repeat(32) }],
  ['of somebody else', 'key-not-of-approver', { approver: 'p_ada' }],
  ['of a key that nobody enrolled', 'key-unknown', { keyId: 'A'.repeat(43) }],
] as const)('one %s passes nothing, at its use as little as before', (_what, reason, change) => {
  expect(judgeGlass(signed(statementWith(change)), factsWith())).toEqual({
    stands: false,
    reason,
  });
});

test('in production a passkey with user verification breaks the glass, and a key file does not', () => {
  const production = { ...gate, environment: 'production' } as const;
  const facts = factsWith({
    gate: { document: production, digest: digestOf(production), state: 'open' },
  });
  const statement = statementWith({ actionDigest: digestOf(production) });
  expect(judgeGlass(signed(statement), facts)).toEqual({
    stands: false,
    reason: 'break-glass-passkey',
  });
  const own = { ...statement, keyId: passkey.keyId };
  expect(judgeGlassAtReceipt(byPasskey(own, { counter: 7 }), facts).stands).toBe(true);
  const unverified = byPasskey(own, { counter: 7, flags: 0x01 });
  expect(judgeGlass(unverified, facts)).toMatchObject({ reason: 'webauthn-user-verification' });
  const elsewhere = byPasskey(own, { counter: 7, origin: 'https://evil.example' });
  expect(judgeGlass(elsewhere, facts)).toMatchObject({ reason: 'webauthn-origin' });
  const { relyingParty, ...nowhere } = facts;
  expect(relyingParty).toBeDefined();
  expect(judgeGlass(byPasskey(own), nowhere).stands).toBe(false);
  const copied = byPasskey(own, { counter: 6 });
  expect(judgeGlassAtReceipt(copied, facts)).toMatchObject({ reason: 'webauthn-counter' });
});

test('where the policy asks several persons for keys that cannot be copied, a key file passes alone no more than with others', () => {
  const facts = factsWith();
  const several = {
    ...gate,
    rule: { ...gate.rule, allOf: [{ group: 'approvers', count: 2 }] },
  };
  const verdict = judgeGlass(signed(statementWith({ actionDigest: digestOf(several) })), {
    ...facts,
    gate: { document: several, digest: digestOf(several), state: 'open' },
    policy: builtInPolicy({
      override: {
        breakGlass: facts.policy.breakGlass,
        keys: { deviceBound: 'several-persons' },
      },
    }),
  });
  expect(verdict).toEqual({ stands: false, reason: 'webauthn-device-bound' });
});

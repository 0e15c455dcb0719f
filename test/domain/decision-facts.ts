import { readFileSync } from 'node:fs';
import { ed25519 } from '@noble/curves/ed25519.js';
import { canonicalize, digestOf } from '../../domain/canonical.js';
import { keyIdOf, publicKeyOf, signStatement } from '../../domain/signature.js';

/** What the cases of `test/vectors/decisions.json` are judged by, and how their messages are signed. Test keys only. */

export const approval = JSON.parse(
  readFileSync(new URL('../vectors/approval.json', import.meta.url), 'utf8'),
) as {
  instance: string;
  ed25519: { seedHex: string };
  action: Record<string, unknown>;
  gate: Record<string, unknown>;
  statement: Record<string, unknown>;
  ed25519SignatureB64u: string;
};

export type Json = Record<string, unknown>;
const hash = (text: string): Buffer => Buffer.from(digestOf(text).slice('sha256:'.length), 'hex');
export const seedOf = (name: string): Uint8Array =>
  name === 'alice'
    ? Buffer.from(approval.ed25519.seedHex, 'hex')
    : hash(`countersign test vector ${name}`);
const b64u = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
export const identity = Buffer.concat([Buffer.from([1]), Buffer.alloc(31)]);
export const otherSpelling = Buffer.from(`ee${'ff'.repeat(30)}7f`, 'hex');

const nowMs = Date.parse('2026-11-21T09:06:00.000Z');
const OPEN_MS = Date.parse('2026-11-01T00:00:00.000Z');

const key = (name: string, person: string, changes: Json = {}): Json => {
  const raw = publicKeyOf(seedOf(name));
  return {
    keyId: keyIdOf(raw),
    person,
    publicKey: b64u(raw),
    activeFromMs: OPEN_MS,
    revoked: false,
    ...changes,
  };
};
const rawKey = (raw: Uint8Array, person: string): Json => ({
  keyId: keyIdOf(raw),
  person,
  publicKey: b64u(raw),
  activeFromMs: OPEN_MS,
  revoked: false,
});

const actions = ['create-customer', 'link-account', 'start-subscription', 'deploy-site'].map(
  (step) => digestOf({ ...approval.action, step }),
);
const planGate = {
  ...approval.gate,
  gateId: 'provision/launch-7:plan:1',
  rule: {
    allOf: [
      { group: 'finance', count: 1 },
      { group: 'operations', count: 1 },
    ],
  },
  actions,
};
export const otherAction = (changes: Json): string =>
  digestOf({ ...approval.gate, actions: [digestOf({ ...approval.action, ...changes })] });

export const BENT_ID = 'A'.repeat(43);

export const facts = {
  instance: approval.instance,
  policy: {
    solo: false,
    excludePrincipal: false,
    groups: [{ name: 'operations', persons: ['p_bob'] }],
  },
  roles: { requester: 'p_requester', agent: 'a_launch', owner: 'p_owner', principal: 'pr_owner' },
  nowMs,
  persons: [
    ['p_alice', ['finance']],
    ['p_bob', []],
    ['p_carol', ['marketing']],
    ['p_owner', ['finance']],
    ['p_requester', ['finance']],
    ['p_gone', ['finance'], { active: false }],
    ['p_robot', ['finance'], { kind: 'service' }],
  ].map(([person, groups, changes]) => ({
    person,
    active: true,
    kind: 'human',
    groups,
    ...(changes as Json | undefined),
  })),
  keys: [
    key('alice', 'p_alice'),
    key('alice-revoked', 'p_alice', { revoked: true }),
    key('alice-new', 'p_alice', { activeFromMs: nowMs + 1 }),
    key('bob', 'p_bob'),
    key('carol', 'p_carol'),
    key('owner', 'p_owner'),
    key('requester', 'p_requester'),
    key('gone', 'p_gone'),
    key('robot', 'p_robot'),
    rawKey(identity, 'p_alice'),
    rawKey(otherSpelling, 'p_alice'),
    // A row that a writer of the database has bent: Carol's key under an id of its own, as Alice's.
    { ...key('carol', 'p_alice'), keyId: BENT_ID },
  ],
  gates: [
    { document: approval.gate, digest: digestOf(approval.gate) },
    { document: planGate, digest: digestOf(planGate) },
  ],
};

export const statement = (changes: Json = {}): Json =>
  Object.fromEntries(
    Object.entries({ ...approval.statement, ...changes }).filter(
      ([, value]) => value !== undefined,
    ),
  );

export function signed(changes: Json = {}, by = 'alice', more: Json = {}): string {
  const of = statement({
    keyId: keyIdOf(publicKeyOf(seedOf(by))),
    approver: `p_${by.replace(/-.*/, '')}`,
    ...changes,
  });
  return canonicalize({ ...of, signature: signStatement(of, seedOf(by)), ...more });
}

export const withSignature = (value: Uint8Array, changes: Json = {}): string =>
  canonicalize({ ...statement(changes), signature: { kind: 'ed25519', value: b64u(value) } });

export function largerS(): Uint8Array {
  const raw = Buffer.from(approval.ed25519SignatureB64u, 'base64url');
  const s = BigInt(`0x${Buffer.from(raw.subarray(32)).reverse().toString('hex')}`);
  const larger = (s + ed25519.Point.Fn.ORDER).toString(16).padStart(64, '0');
  return Buffer.concat([raw.subarray(0, 32), Buffer.from(larger, 'hex').reverse()]);
}

/** The text of a good message with one piece of it written otherwise: what only the bytes can show. */
export const rewritten = (from: string, to: string): string => {
  const text = signed();
  if (!text.includes(from)) throw new Error(`the message does not hold ${from}`);
  return text.replace(from, () => to);
};

export const plan = { gateId: planGate.gateId, actionDigest: digestOf(planGate) };
export const constant = Buffer.concat([identity, Buffer.alloc(32)]);

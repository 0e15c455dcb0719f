import { passkeys, relyingParty, webauthnCases } from './webauthn-vectors.js';
import { canonicalize, digestOf } from '../../domain/canonical.js';
import { keyIdOf, publicKeyOf } from '../../domain/signature.js';
import {
  approval,
  BENT_ID,
  constant,
  facts,
  identity,
  type Json,
  largerS,
  otherAction,
  otherSpelling,
  plan,
  rewritten,
  seedOf,
  signed,
  statement,
  withSignature,
} from './decision-facts.js';

/** Builds `test/vectors/decisions.json`: every case a message as text, and the one right answer. */

interface Case {
  readonly name: string;
  readonly message: string;
  readonly expect: string;
  readonly nowMs?: number;
  readonly state?: string;
  readonly counted?: readonly string[];
  readonly used?: boolean;
  readonly withdrawnAtMs?: number;
  readonly policy?: Json;
}

const good: Case[] = [
  { name: 'approve one action', message: signed(), expect: 'accepted' },
  {
    name: 'approve a plan of four actions, first of two groups',
    message: signed(plan),
    expect: 'accepted',
  },
  {
    name: 'approve a plan, second of two groups',
    message: signed(plan, 'bob'),
    counted: ['p_alice'],
    expect: 'accepted',
  },
  {
    name: 'reject',
    message: signed({ decision: 'reject', reason: 'too dear' }),
    expect: 'accepted',
  },
  {
    name: 'reject by a person who had approved',
    message: signed({ decision: 'reject' }),
    counted: ['p_alice'],
    expect: 'accepted',
  },
  { name: 'without a reason', message: signed({ reason: undefined }), expect: 'accepted' },
  {
    name: 'in the last millisecond',
    message: signed(),
    nowMs: Date.parse('2026-11-22T08:59:59.999Z'),
    expect: 'accepted',
  },
];

const badBytes: Case[] = [
  {
    name: 'more than 16 KiB',
    message: rewritten('{', `{"a":"${'x'.repeat(16_384)}",`),
    expect: 'too-large',
  },
  { name: 'no JSON', message: signed().slice(0, -1), expect: 'malformed' },
  { name: 'not an object', message: '"approve"', expect: 'malformed' },
  { name: 'an added member', message: signed({ note: 'x' }), expect: 'malformed' },
  {
    name: 'reason: null',
    message: rewritten('"reason":"Zürich launch, agreed"', '"reason":null'),
    expect: 'malformed',
  },
  { name: '2^53+1', message: rewritten('{', '{"a":9007199254740993,'), expect: 'malformed' },
  { name: 'decomposed text', message: rewritten('Zürich', 'Zu\u0308rich'), expect: 'malformed' },
  {
    name: 'half of a surrogate pair',
    message: rewritten('Zürich', '\\ud800'),
    expect: 'malformed',
  },
  {
    name: 'no milliseconds',
    message: signed({ decidedAt: '2026-11-21T09:05:00Z' }),
    expect: 'malformed',
  },
  {
    name: 'a day that is none',
    message: signed({ decidedAt: '2026-02-30T09:05:00.000Z' }),
    expect: 'malformed',
  },
  {
    name: 'an e-mail address for the approver',
    message: signed({ approver: 'alice@example.com' }),
    expect: 'malformed',
  },
  {
    name: 'a signature of 85 characters',
    message: rewritten('"value":"q', '"value":"'),
    expect: 'malformed',
  },
  { name: '1.0 for 1', message: rewritten('{', '{"a":1.0,'), expect: 'not-canonical' },
  {
    name: 'a duplicate member',
    message: rewritten('"decision":"approve"', '"decision":"reject","decision":"approve"'),
    expect: 'not-canonical',
  },
  { name: 'white space', message: rewritten(',"', ', "'), expect: 'not-canonical' },
  {
    name: 'an escaped letter',
    message: rewritten('Zürich', 'Z\\u00fcrich'),
    expect: 'not-canonical',
  },
];

const badTarget: Case[] = [
  {
    name: 'another type with the same members',
    message: signed({ type: 'countersign.resolve.v1' }),
    expect: 'type-mismatch',
  },
  {
    name: 'an enrol statement as a decision',
    message: canonicalize({
      type: 'countersign.enrol.v1',
      instance: approval.instance,
      person: 'p_alice',
    }),
    expect: 'type-mismatch',
  },
  {
    name: 'another instance',
    message: signed({ instance: '0'.repeat(32) }),
    expect: 'instance-mismatch',
  },
  {
    name: 'another run',
    message: signed({ gateId: 'provision/launch-8:register-domain:1' }),
    expect: 'gate-unknown',
  },
  {
    name: 'another revision',
    message: signed({ gateId: 'provision/launch-7:register-domain:2' }),
    expect: 'gate-unknown',
  },
  { name: 'a gate that was granted', message: signed(), state: 'granted', expect: 'gate-closed' },
  { name: 'a gate that was rejected', message: signed(), state: 'rejected', expect: 'gate-closed' },
  { name: 'a gate that is void', message: signed(), state: 'void', expect: 'gate-closed' },
  {
    name: 'a gate that expired on record',
    message: signed(),
    state: 'expired',
    expect: 'gate-expired',
  },
  {
    name: 'at the very millisecond of expiry',
    message: signed(),
    nowMs: Date.parse('2026-11-22T09:00:00.000Z'),
    expect: 'gate-expired',
  },
  {
    name: 'one character of the domain',
    message: signed({
      actionDigest: otherAction({
        params: { ...(approval.action['params'] as Json), domain_name: 'superseal.cc' },
      }),
    }),
    expect: 'digest-mismatch',
  },
  {
    name: 'one cent',
    message: signed({ actionDigest: otherAction({ costMaxMinor: 1201 }) }),
    expect: 'digest-mismatch',
  },
  {
    name: 'another currency',
    message: signed({ actionDigest: otherAction({ currency: 'EUR' }) }),
    expect: 'digest-mismatch',
  },
  {
    name: 'another environment',
    message: signed({ actionDigest: digestOf({ ...approval.gate, environment: 'staging' }) }),
    expect: 'digest-mismatch',
  },
  {
    name: 'another nonce',
    message: signed({ actionDigest: digestOf({ ...approval.gate, nonce: 'f'.repeat(32) }) }),
    expect: 'digest-mismatch',
  },
  {
    name: "the action's digest instead of the gate's",
    message: signed({ actionDigest: digestOf(approval.action) }),
    expect: 'digest-mismatch',
  },
];

const badSignature: Case[] = [
  { name: 'unsigned', message: canonicalize(statement()), expect: 'unsigned' },
  {
    name: 'a key that is not in the register',
    message: signed({}, 'alice-foreign'),
    expect: 'key-unknown',
  },
  {
    name: 'a row whose key is not the one that its id names',
    message: signed({ keyId: BENT_ID, approver: 'p_alice' }, 'carol'),
    expect: 'key-unknown',
  },
  {
    name: 'the identity key, which fits any message',
    message: withSignature(constant, { keyId: keyIdOf(identity) }),
    expect: 'key-unknown',
  },
  {
    name: 'a key in another spelling than the canonical one',
    message: withSignature(constant, { keyId: keyIdOf(otherSpelling) }),
    expect: 'key-unknown',
  },
  { name: 'a revoked key', message: signed({}, 'alice-revoked'), expect: 'key-revoked' },
  {
    name: 'a key that is not active yet',
    message: signed({}, 'alice-new'),
    expect: 'key-not-yet-active',
  },
  {
    name: "another person's key",
    message: signed({ approver: 'p_bob' }),
    expect: 'key-not-of-approver',
  },
  { name: 'R = identity and S = 0', message: withSignature(constant), expect: 'signature-bad' },
  { name: 'S + L', message: withSignature(largerS()), expect: 'signature-bad' },
  {
    name: 'approve turned into reject after signing',
    message: rewritten('"decision":"approve"', '"decision":"reject"'),
    expect: 'signature-bad',
  },
  {
    name: 'one letter of the reason after signing',
    message: rewritten('agreed', 'Agreed'),
    expect: 'signature-bad',
  },
];

const badPerson: Case[] = [
  { name: 'a person who has left', message: signed({}, 'gone'), expect: 'not-human' },
  { name: 'a service account', message: signed({}, 'robot'), expect: 'not-human' },
  { name: 'the requester', message: signed({}, 'requester'), expect: 'excluded-requester' },
  { name: "the agent's owner", message: signed({}, 'owner'), expect: 'excluded-owner' },
  { name: 'a person of another group', message: signed({}, 'carol'), expect: 'not-in-group' },
  {
    name: 'the same person twice',
    message: signed(),
    counted: ['p_alice'],
    expect: 'person-already-counted',
  },
  {
    name: 'decided before the gate was opened',
    message: signed({ decidedAt: '2026-11-21T08:57:59.999Z' }),
    expect: 'clock-skew',
  },
  {
    name: 'decided in the future',
    message: signed({ decidedAt: '2026-11-21T09:08:00.001Z' }),
    expect: 'clock-skew',
  },
];

const withdrawals: Case[] = [
  {
    name: 'withdraw an approve from an open gate',
    message: signed({ decision: 'withdraw' }),
    counted: ['p_alice'],
    expect: 'accepted',
  },
  {
    name: 'withdraw from a granted gate',
    message: signed({ decision: 'withdraw' }),
    counted: ['p_alice'],
    state: 'granted',
    expect: 'accepted',
  },
  {
    name: 'withdraw what was never said',
    message: signed({ decision: 'withdraw' }),
    expect: 'nothing-to-withdraw',
  },
  {
    name: 'withdraw what an effect has used',
    message: signed({ decision: 'withdraw' }),
    counted: ['p_alice'],
    state: 'granted',
    used: true,
    expect: 'already-used',
  },
  {
    name: 'withdraw from a gate that was rejected',
    message: signed({ decision: 'withdraw' }),
    counted: ['p_alice'],
    state: 'rejected',
    expect: 'gate-closed',
  },
  {
    name: 'an approve that was signed before its signer withdrew',
    message: signed(),
    withdrawnAtMs: Date.parse('2026-11-21T09:05:00.000Z'),
    expect: 'withdrawn',
  },
];

const order: Case[] = [
  {
    name: 'order: expired before unsigned',
    message: canonicalize(statement()),
    state: 'expired',
    expect: 'gate-expired',
  },
  {
    name: 'order: digest before signature',
    message: withSignature(constant, { actionDigest: digestOf('else') }),
    expect: 'digest-mismatch',
  },
  {
    name: 'order: revoked before a bad signature',
    message: withSignature(constant, { keyId: keyIdOf(publicKeyOf(seedOf('alice-revoked'))) }),
    expect: 'key-revoked',
  },
  {
    name: 'order: excluded before clock skew',
    message: signed({ decidedAt: '2020-01-01T00:00:00.000Z' }, 'owner'),
    expect: 'excluded-owner',
  },
];

const cases: readonly Case[] = [
  ...good,
  ...badBytes,
  ...badTarget,
  ...badSignature,
  ...badPerson,
  ...withdrawals,
  ...webauthnCases,
  ...order,
];

export const vectors = {
  about: 'decisions',
  note: 'test keys only; never enrol. Each message is the text that is received; `expect` is `accepted` or the reason to log.',
  facts: { ...facts, relyingParty, keys: [...facts.keys, ...passkeys] },
  cases,
};

import { beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { breakGlassMessageSchema } from '../../domain/break-glass-documents.js';
import { canonicalize, parseCanonical } from '../../domain/canonical.js';
import { closeCaseMessageSchema } from '../../domain/close-case.js';
import { readDecision } from '../../domain/decide.js';
import {
  admissionSchema,
  decideMessageSchema,
  policyMessageSchema,
  resolveMessageSchema,
  resumeMessageSchema,
  stopMessageSchema,
} from '../../domain/documents.js';
import {
  approveEnrolMessageSchema,
  enrolMessageSchema,
  revokeMessageSchema,
} from '../../domain/key-statements.js';
import { ProtocolError } from '../../domain/reasons.js';
import { registerMessageSchema } from '../../domain/register-change.js';
import { publicKeyOf, signStatement, verifyStatement } from '../../domain/signature.js';
import { readMessage } from '../../gateway/signed.js';
import { approval, identity, seedOf } from '../domain/decision-facts.js';
import {
  CPU_MAX_MS,
  cpuMsOf,
  expectBoth,
  feed,
  type Outcome,
  PATIENCE_MS,
  TEN_MB,
} from './harness.js';
import { mutatedJson, mutatedText, mutatedValue, rawText, soup } from './inputs.js';

/** Every statement that somebody signs, as text, as bytes and as a value, against inputs that nobody would write. */

const seed = seedOf('alice');
const publicKey = publicKeyOf(seed);
const { instance } = approval;
const at = '2026-11-21T09:05:00.000Z';
const digest = `sha256:${'c'.repeat(64)}`;
const { keyId } = approval.statement as { keyId: string };
const by = { by: 'p_alice', keyId, at, instance };
const gateId = 'provision/launch-7:register-domain:1';
const register = (change: object): object => ({ type: 'countersign.register.v1', change, ...by });
const signed = (statement: object): object => ({
  ...statement,
  signature: signStatement(statement, seed),
});
const passkey = {
  ...{ kind: 'webauthn', credentialId: 'AAAA', clientDataJSON: 'BBBB', authenticatorData: 'CCCC' },
  ...{ signature: 'DDDD', userHandle: 'EEEE' },
};

type Parse = (value: unknown) => { readonly success: boolean; readonly data?: unknown };
interface Kind {
  readonly parse: Parse;
  readonly messages: readonly object[];
}

const decision = approval.statement;
const KINDS: Readonly<Record<string, Kind>> = {
  decide: {
    parse: (value) => decideMessageSchema.safeParse(value),
    messages: [
      signed(decision),
      signed({ ...decision, decision: 'withdraw', reason: 'not yet — söon' }),
      { ...decision, signature: passkey },
    ],
  },
  'break-glass': {
    parse: (value) => breakGlassMessageSchema.safeParse(value),
    messages: [
      signed({
        ...{ type: 'countersign.break-glass.v1', instance, runId: 'launch-7', gateId, keyId },
        ...{ actionDigest: digest, approver: 'p_alice', decidedAt: at },
        ...{ expiresAt: '2026-11-21T10:05:00.000Z', reason: 'the name expires tonight' },
      }),
    ],
  },
  enrol: {
    parse: (value) => enrolMessageSchema.safeParse(value),
    messages: [
      signed({
        ...{ type: 'countersign.enrol.v1', instance, person: 'p_alice', keyId, alg: 'ed25519' },
        ...{ publicKey: Buffer.from(publicKey).toString('base64url'), label: 'laptop' },
        ...{ nonce: 'd'.repeat(32), enrolledAt: at },
      }),
    ],
  },
  'approve-enrol': {
    parse: (value) => approveEnrolMessageSchema.safeParse(value),
    messages: [
      signed({ type: 'countersign.approve-enrol.v1', enrolment: digest, reason: 'hers', ...by }),
    ],
  },
  revoke: {
    parse: (value) => revokeMessageSchema.safeParse(value),
    messages: [
      signed({
        type: 'countersign.revoke.v1',
        revokes: keyId,
        as: 'retired',
        reason: 'ours',
        ...by,
      }),
    ],
  },
  policy: {
    parse: (value) => policyMessageSchema.safeParse(value),
    messages: [
      signed({
        ...{ type: 'countersign.policy.v1', policyDigest: digest, version: 2, reason: 'ours' },
        ...by,
      }),
    ],
  },
  resolve: {
    parse: (value) => resolveMessageSchema.safeParse(value),
    messages: [
      signed({
        ...{ type: 'countersign.resolve.v1', runId: 'launch-7', step: 'register-domain' },
        ...{ action: 'retry', reason: 'the bank is back', ...by },
      }),
    ],
  },
  resume: {
    parse: (value) => resumeMessageSchema.safeParse(value),
    messages: [
      signed({ type: 'countersign.resume.v1', scope: 'agent/launch-agent', reason: 'fine', ...by }),
    ],
  },
  register: {
    parse: (value) => registerMessageSchema.safeParse(value),
    messages: [
      signed(register({ kind: 'add-person', person: 'p_bob', name: 'Bob', groups: ['approvers'] })),
      signed(
        register({
          ...{ kind: 'link-account', iss: 'https://id.example', sub: 'x-1' },
          holder: { agent: 'launch-agent' },
        }),
      ),
      signed(
        register({
          ...{ kind: 'delegate', delegation: `d_${'1'.repeat(16)}`, agent: 'launch-agent' },
          ...{ steps: ['register-domain'], ceilingMinor: 5_000, currency: 'USD', until: at },
        }),
      ),
    ],
  },
  'close-case': {
    parse: (value) => closeCaseMessageSchema.safeParse(value),
    messages: [
      signed({
        ...{ type: 'countersign.close-case.v1', caseId: 7, kind: 'orphan', reason: 'ours', ...by },
      }),
    ],
  },
  admission: {
    parse: (value) => admissionSchema.safeParse(value),
    messages: [
      {
        ...{ type: 'countersign.admission.v1', instance, runId: 'launch-7', requestDigest: digest },
        ...{ service: 's_backend', keyId, at },
      },
    ],
  },
  stop: {
    parse: (value) => stopMessageSchema.safeParse(value),
    messages: [{ mode: 'unwind', reason: 'enough', by: 'p_alice' }],
  },
};

/** Of each message: which statement each good signature was made over. */
const originals = new Set(
  Object.values(KINDS).flatMap(({ messages }) =>
    messages.map((message) => canonicalize(unsignedOf(message))),
  ),
);

function unsignedOf(message: object): object {
  return Object.fromEntries(Object.entries(message).filter(([name]) => name !== 'signature'));
}

/** Of each kind so many are verified: 10 ms of arithmetic each, and the parser is what is fed here. */
const FORGERIES_MAX = 50;

/** No input stands under a signature that was made over another. True when there was a signature to look at. */
function expectNoForgery(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !('signature' in value)) return false;
  const { signature } = value;
  if (typeof signature !== 'object' || signature === null || !('value' in signature)) return false;
  const statement = unsignedOf(value);
  if (originals.has(canonicalize(statement))) return false;
  const text = { kind: 'ed25519', value: String(signature.value) } as const;
  expect(verifyStatement(statement, text, publicKey)).toBe(false);
  return true;
}

function attemptWith(parse: Parse): (message: unknown) => Outcome {
  let forgeries = 0;
  return (message) => {
    try {
      const { text, value } = readMessage(message);
      // One form, which says the same when it is read again.
      expect(readMessage(text).text).toBe(text);
      expect(canonicalize(parseCanonical(text))).toBe(text);
      const result = parse(value);
      if (!result.success) return 'refused';
      expect(canonicalize(result.data)).toBe(text);
      if (forgeries < FORGERIES_MAX && expectNoForgery(value)) forgeries += 1;
      return 'parsed';
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      expect(['too-large', 'malformed', 'not-canonical']).toContain(error.reason);
      return 'refused';
    }
  };
}

// The first signature of a process costs 60 to 110 ms, the next ones 10: the curve's arithmetic is interpreted until it
// has run hot. Whichever input came first paid for it, and looked like a stall of its parser.
beforeAll(() => {
  const [decided] = KINDS['decide']?.messages ?? [];
  for (let round = 0; round < 10; round += 1)
    expect(expectNoForgery({ ...decided, reason: `round ${round}` })).toBe(true);
});

describe('a statement is parsed or refused, within 100 ms', () => {
  test.each(Object.entries(KINDS))(
    '%s',
    async (name, { messages, parse }) => {
      const attempt = attemptWith(parse);
      for (const message of messages) {
        expect(attempt(message)).toBe('parsed');
        expect(attempt(canonicalize(message))).toBe('parsed');
      }
      const texts = messages.map((message) => canonicalize(message));
      const input = fc.oneof(
        { weight: 6, arbitrary: mutatedValue(messages) },
        { weight: 3, arbitrary: mutatedText(texts) },
        { weight: 1, arbitrary: mutatedJson(messages) },
        { weight: 1, arbitrary: fc.oneof(fc.anything(), soup, rawText) },
      );
      expectBoth(await feed<unknown>(name, input, attempt));
    },
    PATIENCE_MS,
  );
});

test(
  'a decision as bytes is parsed or refused, within 100 ms',
  async () => {
    const good = Buffer.from(canonicalize(signed(decision)));
    const attempt = (bytes: Uint8Array): Outcome => {
      try {
        const { canonical } = readDecision(bytes);
        expect(readDecision(canonical).canonical).toBe(canonical);
        expect(Buffer.from(canonical).equals(bytes)).toBe(true);
        return 'parsed';
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        return 'refused';
      }
    };
    expect(attempt(good)).toBe('parsed');
    const flipped = fc
      .array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 })
      .map((flips) => {
        const bytes = Uint8Array.from(good);
        for (const [index, byte] of flips) bytes[index] = byte;
        return bytes;
      });
    const input = fc.oneof(
      { weight: 6, arbitrary: flipped },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 400 }) },
      {
        weight: 1,
        arbitrary: fc.nat(good.length).map((length) => Uint8Array.from(good.subarray(0, length))),
      },
    );
    expectBoth(await feed('a decision as bytes', input, attempt));
  },
  PATIENCE_MS,
);

test('a key of small order stands under none of them', () => {
  for (const { messages } of Object.values(KINDS))
    for (const message of messages) {
      const zero = { kind: 'ed25519', value: 'A'.repeat(86) } as const;
      expect(verifyStatement(unsignedOf(message), zero, identity)).toBe(false);
    }
});

test('10 MB of a statement are refused unparsed, as text and as a value', () => {
  for (const piece of ['{"type":"', '[', ' ']) {
    const text = piece.repeat(Math.ceil(TEN_MB / piece.length));
    const took = cpuMsOf(() => {
      expect(() => readMessage(text)).toThrow(/^more than 16384 bytes$/);
    });
    expect(took).toBeLessThanOrEqual(CPU_MAX_MS);
  }
  // Made one by one: a heap of all of them is collected on our time.
  const reasons = [
    () => Array<string>(Math.ceil(TEN_MB / 2_000)).fill('a'.repeat(2_000)),
    () => Array<number>(TEN_MB / 2).fill(1),
    () => 'a'.repeat(TEN_MB),
    () => Array.from({ length: TEN_MB / 32 }, () => ({ a: 'b', c: 'd', e: 1 })),
  ];
  for (const made of reasons) {
    const value = { ...decision, reason: made() };
    const took = cpuMsOf(() => {
      expect(() => readMessage(value)).toThrow(/larger than|longer than/);
    });
    expect(took).toBeLessThanOrEqual(CPU_MAX_MS);
  }
});

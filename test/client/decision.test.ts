import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import {
  GateNotTrue,
  signDecision,
  signResolve,
  signResume,
  verifyGate,
} from '../../client/decision.js';
import { signingKeyOf } from '../../client/keys.js';
import { decodeBase64url } from '../../domain/base64url.js';
import { canonicalize, digestOf } from '../../domain/canonical.js';
import { readDecision } from '../../domain/decide.js';
import {
  decideMessageSchema,
  resolveMessageSchema,
  resumeMessageSchema,
  type Ed25519Signature,
} from '../../domain/documents.js';
import { verifyStatement } from '../../domain/signature.js';
import { gateOf, received } from '../cli/gate-fixture.js';
import { instance } from '../domain/fixtures.js';

const key = signingKeyOf(generateKeyPairSync('ed25519').privateKey);
const publicKey = decodeBase64url(key.publicKey)!;
const AT = '2026-11-21T10:00:00.000Z';
const deciding = { decision: 'approve', approver: 'p_ada', surface: 'cli', decidedAt: AT } as const;

test('a decision names the digest of the very gate that was shown, and verifies strictly', () => {
  const made = gateOf('plan');
  const verified = verifyGate(received(made), instance);
  expect(verified.card).toEqual(made.card);
  const message = signDecision(verified, deciding, key);
  expect(decideMessageSchema.parse(message).actionDigest).toBe(digestOf(made.gate));
  const { statement, signature } = readDecision(message);
  expect(verifyStatement(statement, signature as Ed25519Signature, publicKey)).toBe(true);
  expect(
    verifyStatement({ ...statement, decision: 'reject' }, signature as Ed25519Signature, publicKey),
  ).toBe(false);
});

test('resolve and resume are statements of their own types', () => {
  const common = { instance, by: 'p_ada', reason: 'seen', at: AT };
  const resolve = signResolve({ ...common, runId: 'a', step: 'deploy-site', action: 'retry' }, key);
  const resume = signResume({ ...common, scope: 'run/a' }, key);
  const { signature, ...statement } = resolveMessageSchema.parse(resolve);
  expect(verifyStatement(statement, signature as Ed25519Signature, publicKey)).toBe(true);
  expect(resumeMessageSchema.parse(resume).type).toBe('countersign.resume.v1');
  expect(verifyStatement(statement, resume.signature, publicKey)).toBe(false);
});

describe('a gate is not signed', () => {
  const { gate, card } = gateOf('plan');
  const cheaper = { ...card, totalMaxMinor: card.totalMaxMinor - 1 };
  const other = gateOf('register-domain');
  const rows: readonly (readonly [string, { document: string; card: string }, string])[] = [
    [
      'with a card that is not the one it names',
      received({ gate, card: cheaper }),
      'the card is not the one it names',
    ],
    [
      'with the card of another gate',
      received({ gate, card: other.card }),
      'the card is not the one it names',
    ],
    [
      'whose card leaves an action out',
      (() => {
        const less = { ...card, actions: card.actions.slice(1) };
        return received({ gate: { ...gate, cardDigest: digestOf(less) }, card: less });
      })(),
      'does not show exactly the actions',
    ],
    [
      'whose card tells of another environment',
      (() => {
        const mild = { ...card, environment: 'development' };
        return received({ gate: { ...gate, cardDigest: digestOf(mild) }, card: mild });
      })(),
      'another environment',
    ],
    [
      'whose card tells of another run',
      (() => {
        const strange = { ...card, runId: 'other' };
        return received({ gate: { ...gate, cardDigest: digestOf(strange) }, card: strange });
      })(),
      'another run',
    ],
    [
      'of another installation',
      received({ gate: { ...gate, instance: 'f'.repeat(32) }, card }),
      'another installation',
    ],
    [
      'with an added member',
      received({ gate: { ...gate, extra: true }, card }),
      'the gate document is malformed',
    ],
    [
      'that is not canonical',
      { document: ` ${canonicalize(gate)}`, card: canonicalize(card) },
      'not in canonical form',
    ],
    [
      'whose id names another run',
      received({ gate: { ...gate, gateId: 'provision/other:plan:1' }, card }),
      'its id names another run',
    ],
  ];
  test.each(rows)('%s', (_name, texts, reason) => {
    expect(() => verifyGate(texts, instance)).toThrow(GateNotTrue);
    expect(() => verifyGate(texts, instance)).toThrow(reason);
  });
});

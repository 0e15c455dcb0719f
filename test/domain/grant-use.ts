import { encodeBase64url } from '../../domain/base64url.js';
import { buildCard, buildGate } from '../../domain/build-gate.js';
import { canonicalize, digestOf } from '../../domain/canonical.js';
import type { ActionDocument } from '../../domain/documents.js';
import { gateIdOf } from '../../domain/ids.js';
import { builtInPolicy } from '../../domain/policy/built-in.js';
import { registerOf } from '../../domain/register.js';
import { requestDigestOf } from '../../domain/request.js';
import { keyIdOf, publicKeyOf, signStatement } from '../../domain/signature.js';
import type { GrantUse, StoredDecision } from '../../domain/verify-grant.js';
import { firstQuote, instance, nowMs, planWith, requestWith } from './fixtures.js';

/** A grant that stands: a gate over a domain, and two persons of one group who have signed for it. */

export const policy = builtInPolicy({
  override: {
    approvals: [{ tier: 'sign-off', allOf: [{ group: 'finance', count: 2 }] }],
  },
});
const request = requestWith();
const plan = planWith({ policy });
export const roles = {
  requester: 's_local',
  agent: 'a_launch',
  owner: 'p_owner',
  principal: 'pr_owner',
};
const card = buildCard({
  instance,
  plan,
  gate: 'register-domain',
  request,
  quote: firstQuote,
  policy,
  nowMs,
  roles,
  caps: [],
  site: { files: 1, bytes: 1 },
});
export const gate = buildGate({
  plan,
  gate: 'register-domain',
  gateId: gateIdOf({ runId: plan.runId, gate: 'register-domain', revision: 1 }),
  instance,
  requestDigest: requestDigestOf(request),
  excluded: ['p_owner'],
  card,
  openedAt: '2026-11-21T09:00:00.000Z',
  expiresAt: '2026-11-22T09:00:00.000Z',
  nonce: '0'.repeat(32),
});
export const action = plan.steps.flatMap((step) =>
  step.gate === 'register-domain' && step.action !== undefined ? [step.action] : [],
)[0] as ActionDocument;

const people = ['alice', 'bob', 'carol', 'owner'] as const;
type Name = (typeof people)[number];
const seedOf = (name: Name): Uint8Array =>
  Buffer.from(digestOf(`seed of ${name}`).slice('sha256:'.length), 'hex');
export const persons = people.map((name) => ({
  person: `p_${name}`,
  active: true,
  kind: 'human' as const,
  groups: ['finance'],
}));
export const keys = people.map((name) => {
  const raw = publicKeyOf(seedOf(name));
  return {
    keyId: keyIdOf(raw),
    person: `p_${name}`,
    publicKey: encodeBase64url(raw),
    activeFromMs: 0,
    revoked: false,
  };
});

export function decisionOf(
  name: Name,
  changes: Record<string, unknown> = {},
  signer: Name = name,
): StoredDecision {
  const statement = {
    type: 'countersign.decision.v1',
    instance,
    gateId: gate.gateId,
    actionDigest: digestOf(gate),
    decision: 'approve',
    approver: `p_${name}`,
    keyId: keyIdOf(publicKeyOf(seedOf(name))),
    surface: 'cli',
    decidedAt: '2026-11-21T09:05:00.000Z',
    ...changes,
  };
  const message = canonicalize({
    ...statement,
    signature: signStatement(statement, seedOf(signer)),
  });
  return { message, acceptedMs: Date.parse('2026-11-21T09:06:00.000Z') };
}

export const bent = (one: StoredDecision, from: string | RegExp, to: string): StoredDecision => ({
  ...one,
  message: one.message.replace(from, to),
});

export function use(changes: Partial<GrantUse> = {}): GrantUse {
  return {
    instance,
    gate: { document: canonicalize(gate), state: 'granted' },
    decisions: [decisionOf('alice'), decisionOf('bob')],
    register: registerOf(persons, keys),
    policy,
    roles,
    request,
    requestDigest: requestDigestOf(request),
    action,
    tier: 'sign-off',
    nowMs: Date.parse('2026-11-21T10:00:00.000Z'),
    ...changes,
  };
}

export const stored = (changes: Record<string, unknown>) => ({
  document: canonicalize({ ...gate, ...changes }),
  state: 'granted' as const,
});
export const withParams = (params: Record<string, string>): ActionDocument => ({
  ...action,
  params: { ...action.params, ...params },
});

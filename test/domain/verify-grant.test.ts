import { describe, expect, test } from '@jest/globals';
import { canonicalize, digestOf } from '../../domain/canonical.js';
import { builtInPolicy } from '../../domain/policy/built-in.js';
import { registerOf } from '../../domain/register.js';
import { type GrantUse, verifyGrant } from '../../domain/verify-grant.js';
import { requestWith } from './fixtures.js';
import {
  action,
  bent,
  decisionOf,
  gate,
  keys,
  persons,
  policy,
  roles,
  stored,
  use,
  withParams,
} from './grant-use.js';

describe('a grant', () => {
  test('covers the very action, and names who agreed and by which bytes', () => {
    expect(verifyGrant(use())).toMatchObject({
      granted: true,
      persons: ['p_alice', 'p_bob'],
      decisions: [expect.stringMatching(/^[0-9a-f]{64}$/), expect.stringMatching(/^[0-9a-f]{64}$/)],
    });
  });

  test.each<[string, Partial<GrantUse>, string]>([
    ['another domain', { action: withParams({ domain_name: 'superseal.cc' }) }, 'digest-mismatch'],
    ['one cent more', { action: { ...action, costMaxMinor: 1121 } }, 'digest-mismatch'],
    ['another account', { action: { ...action, account: 'f'.repeat(32) } }, 'digest-mismatch'],
    ['an action of another run', { action: { ...action, runId: 'launch-8' } }, 'run-mismatch'],
    [
      'an action of another instance',
      { action: { ...action, instance: 'f'.repeat(32) } },
      'instance-mismatch',
    ],
    ['a gate of another instance', { instance: 'f'.repeat(32) }, 'instance-mismatch'],
    [
      'an action for another environment',
      { action: { ...action, environment: 'staging' } },
      'environment-mismatch',
    ],
    [
      'a run of another environment',
      { request: requestWith({ environment: 'staging' }) },
      'environment-mismatch',
    ],
    ['another request', { requestDigest: digestOf('else') }, 'run-mismatch'],
    [
      'a gate that is open',
      { gate: { document: canonicalize(gate), state: 'open' } },
      'gate-closed',
    ],
    [
      'a gate that was rejected',
      { gate: { document: canonicalize(gate), state: 'rejected' } },
      'gate-closed',
    ],
    [
      'a gate that is void',
      { gate: { document: canonicalize(gate), state: 'void' } },
      'gate-closed',
    ],
    [
      'a gate that expired meanwhile',
      { nowMs: Date.parse('2026-11-22T09:00:00.000Z') },
      'gate-expired',
    ],
    [
      'a stored gate with a weaker rule',
      { gate: stored({ rule: { allOf: [{ group: 'finance', count: 1 }] } }) },
      'rule-not-met',
    ],
    [
      'a stored gate with another expiry',
      { gate: stored({ expiresAt: '2027-11-22T09:00:00.000Z' }) },
      'rule-not-met',
    ],
    [
      'a stored gate with a further action',
      { gate: stored({ actions: [...gate.actions, digestOf('x')] }) },
      'rule-not-met',
    ],
    [
      'a stored gate that is not canonical',
      { gate: { document: `${canonicalize(gate)} `, state: 'granted' } },
      'digest-mismatch',
    ],
    ['no decision', { decisions: [] }, 'rule-not-met'],
    [
      'one person twice',
      { decisions: [decisionOf('alice'), decisionOf('alice', { reason: 'again' })] },
      'rule-not-met',
    ],
    [
      'a decision over another gate',
      { decisions: [decisionOf('alice'), decisionOf('bob', { actionDigest: digestOf('x') })] },
      'rule-not-met',
    ],
    [
      'a decision with another gate id',
      {
        decisions: [
          decisionOf('alice'),
          decisionOf('bob', { gateId: 'provision/launch-7:register-domain:2' }),
        ],
      },
      'rule-not-met',
    ],
    [
      'an unsigned decision',
      { decisions: [decisionOf('alice'), bent(decisionOf('bob'), /,"signature":\{[^}]*\}/, '')] },
      'rule-not-met',
    ],
    [
      'a key that was retired before its decision was accepted',
      {
        register: registerOf(
          persons,
          keys.map((key) => ({
            ...key,
            revoked: key.person === 'p_bob',
            retiredAtMs: Date.parse('2026-11-21T09:06:00.000Z'),
          })),
        ),
      },
      'rule-not-met',
    ],
    [
      'an approve that its signer has withdrawn',
      {
        decisions: [
          decisionOf('alice'),
          decisionOf('bob'),
          decisionOf('bob', { decision: 'withdraw' }),
        ],
      },
      'rule-not-met',
    ],
    [
      'a decision bent after signing',
      { decisions: [decisionOf('alice'), bent(decisionOf('bob'), '09:05', '09:06')] },
      'rule-not-met',
    ],
    [
      "the owner's decision",
      { decisions: [decisionOf('alice'), decisionOf('owner')] },
      'rule-not-met',
    ],
    [
      'a reject among them',
      {
        decisions: [
          decisionOf('alice'),
          decisionOf('bob'),
          decisionOf('carol', { decision: 'reject' }),
        ],
      },
      'gate-closed',
    ],
    [
      'a key that was revoked since',
      {
        register: registerOf(
          persons,
          keys.map((key) => ({ ...key, revoked: key.person === 'p_bob' })),
        ),
      },
      'rule-not-met',
    ],
    [
      'a key row that holds another key',
      {
        register: registerOf(
          persons,
          keys.map((key) => ({ ...key, publicKey: keys[2]!.publicKey })),
        ),
      },
      'rule-not-met',
    ],
    [
      'a stored gate of another instance',
      { gate: stored({ instance: 'f'.repeat(32) }) },
      'instance-mismatch',
    ],
    [
      "a key row under Bob's id that holds a stranger's key, with the stranger's signature",
      {
        decisions: [decisionOf('alice'), decisionOf('bob', {}, 'carol')],
        register: registerOf(persons, [
          ...keys.filter((key) => key.person !== 'p_bob'),
          { ...keys[1]!, publicKey: keys[2]!.publicKey },
        ]),
      },
      'rule-not-met',
    ],
    [
      'somebody who owned the agent when the gate opened, and does no longer',
      {
        decisions: [decisionOf('alice'), decisionOf('owner')],
        roles: { ...roles, owner: 'p_new' },
      },
      'rule-not-met',
    ],
    [
      'a person who has left since',
      {
        register: registerOf(
          persons.map((one) => ({ ...one, active: one.person !== 'p_bob' })),
          keys,
        ),
      },
      'rule-not-met',
    ],
    [
      'a person who has left the group since',
      {
        register: registerOf(
          persons.map((one) => (one.person === 'p_bob' ? { ...one, groups: [] } : one)),
          keys,
        ),
      },
      'rule-not-met',
    ],
    [
      'a person who has become the owner since',
      { roles: { ...roles, owner: 'p_bob' } },
      'rule-not-met',
    ],
    ['no policy', { policy: undefined }, 'rule-not-met'],
    [
      'a policy that asks for three now',
      {
        policy: builtInPolicy({
          override: { approvals: [{ tier: 'sign-off', allOf: [{ group: 'finance', count: 3 }] }] },
        }),
      },
      'policy-stricter',
    ],
    [
      'a policy that asks for another group now',
      {
        policy: builtInPolicy({
          override: { approvals: [{ tier: 'sign-off', allOf: [{ group: 'legal', count: 1 }] }] },
        }),
      },
      'policy-stricter',
    ],
    [
      'a policy that asks the same people for a sign-off now',
      { tier: 'approve' },
      'policy-stricter',
    ],
    [
      'a policy that denies it now',
      { policy: { ...policy, domains: { ...policy.domains, priceCeiling: '11.19 USD' } } },
      'policy-stricter',
    ],
  ])('does not cover %s', (_, changes, reason) => {
    expect(verifyGrant(use(changes))).toMatchObject({ granted: false, reason });
  });

  test.each<[string, Partial<GrantUse>]>([
    ['a comment in the policy', { policy: { ...policy, name: 'renamed' } }],
    [
      'a policy that asks less now',
      {
        policy: builtInPolicy({
          override: { approvals: [{ tier: 'sign-off', allOf: [{ group: 'finance', count: 1 }] }] },
        }),
      },
    ],
    [
      'a key that was retired after its decision was accepted',
      {
        register: registerOf(
          persons,
          keys.map((key) => ({
            ...key,
            revoked: key.person === 'p_bob',
            retiredAtMs: Date.parse('2026-11-21T09:07:00.000Z'),
          })),
        ),
      },
    ],
    [
      'a withdrawal and an approve after it',
      {
        decisions: [
          decisionOf('alice'),
          decisionOf('bob'),
          decisionOf('bob', { decision: 'withdraw' }),
          decisionOf('bob', { decidedAt: '2026-11-21T09:05:01.000Z' }),
        ],
      },
    ],
    [
      'a revoked key among enough others',
      {
        decisions: [decisionOf('alice'), decisionOf('bob'), decisionOf('carol')],
        register: registerOf(
          persons,
          keys.map((key) => ({ ...key, revoked: key.person === 'p_bob' })),
        ),
      },
    ],
  ])('survives %s', (_, changes) => {
    expect(verifyGrant(use(changes)).granted).toBe(true);
  });
});

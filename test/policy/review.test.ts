import { describe, expect, test } from '@jest/globals';
import { renderCard } from '../../cli/card.js';
import { styleFor } from '../../cli/style.js';
import { buildCard } from '../../domain/build-gate.js';
import { canonicalize } from '../../domain/canonical.js';
import { type CardDocument, cardSchema } from '../../domain/documents.js';
import { builtInPolicy } from '../../domain/policy/built-in.js';
import { decideAction } from '../../domain/policy/decide.js';
import type { Policy } from '../../domain/policy/schema.js';
import { gateOf } from '../cli/gate-fixture.js';
import { firstQuote, instance, nowMs, planWith, requestWith } from '../domain/fixtures.js';

const reviewed = (override: Partial<Policy>): Policy =>
  builtInPolicy({ override: { owners: ['p_ada', 'p_bob'], ...override } });

const notesOf = (policy: Policy, gate: string, change: Record<string, unknown> = {}) =>
  cardOf(policy, gate, change).notes;

const cardOf = (policy: Policy, gate: string, change: Record<string, unknown> = {}): CardDocument =>
  buildCard({
    instance,
    plan: planWith({ policy }),
    gate,
    request: requestWith(change),
    quote: firstQuote,
    policy,
    nowMs,
    roles: { requester: 's_local', agent: 'a_launch', owner: 'p_owner', principal: 'pr_owner' },
    caps: [],
    site: { files: 1, bytes: 1 },
  });

describe('a policy that is overdue for review', () => {
  test('says so on the card that a terminal shows, and in the card as JSON', () => {
    const card = cardOf(reviewed({ reviewBy: '2026-11-21' }), 'plan');
    const frame = { digest: `sha256:${'d'.repeat(64)}`, expiresInMs: 60_000 };
    const style = styleFor({ columns: 100, colour: false });
    const overdue = 'Overdue: the policy was to be reviewed by p_ada, p_bob before 2026-11-21.';
    expect(renderCard(style, gateOf('plan').gate, card, frame).join('\n')).toContain(overdue);
    expect(cardSchema.parse(JSON.parse(canonicalize(card))).notes[0]).toBe(overdue);
  });

  test.each(['plan', 'register-domain'])('is named on the card of the gate %s', (gate) => {
    const due = reviewed({ reviewBy: '2026-11-21' });
    expect(notesOf(due, gate)).toContain(
      'Overdue: the policy was to be reviewed by p_ada, p_bob before 2026-11-21.',
    );
    const tomorrow = reviewed({ reviewBy: '2026-11-22' });
    expect(notesOf(tomorrow, gate).join()).not.toContain('Overdue');
  });

  test.each([
    ['note', 'production', 'sign-off'],
    ['deny-production', 'production', 'denied'],
    ['deny-production', 'staging', 'approve'],
  ] as const)('with %s, %s is %s', (overdue, environment, verdict) => {
    const policy = reviewed({ reviewBy: '2026-11-21', overdue });
    const request = requestWith({ environment });
    const action = planWith({ policy, request }).steps.find(
      ({ step }) => step === 'deploy-site',
    )?.action;
    if (action === undefined) throw new Error('nothing to deploy');
    expect(decideAction(policy, { request, action, nowMs }).verdict).toBe(verdict);
  });
});

test('the card says what data the product is to hold, where the request says so', () => {
  const policy = builtInPolicy();
  expect(notesOf(policy, 'plan', { data: 'personal' })).toContain(
    'The product is to hold personal data.',
  );
  expect(notesOf(policy, 'plan').join()).not.toContain('data');
});

import { buildCard, buildGate } from '../../domain/build-gate.js';
import { canonicalize } from '../../domain/canonical.js';
import type { CardDocument, GateDocument } from '../../domain/documents.js';
import { gateIdOf } from '../../domain/ids.js';
import { requestDigestOf } from '../../domain/request.js';
import { firstQuote, instance, nowMs, planWith, policy, requestWith } from '../domain/fixtures.js';

const roles = {
  requester: 's_local',
  agent: 'launch-agent',
  owner: 'p_owner',
  principal: 'pr_owner',
};

/** Gate and card as the gateway writes them, for a first run; `change` alters the card before the gate names it. */
export function gateOf(
  name: string,
  change: (card: CardDocument) => CardDocument = (card) => card,
): { readonly gate: GateDocument; readonly card: CardDocument } {
  const plan = planWith();
  const card = change(
    buildCard({
      instance,
      plan,
      gate: name,
      request: requestWith(),
      quote: firstQuote,
      policy,
      nowMs,
      roles,
      caps: [
        { scope: 'run:launch-7', capMinor: 6_000, usedMinor: 0, afterMinor: 3_020 },
        {
          scope: 'principal-provider:pr_owner:cloudflare',
          capMinor: 10_000,
          usedMinor: 0,
          afterMinor: 1_120,
        },
      ],
      site: { files: 5, bytes: 12_345 },
    }),
  );
  const gate = buildGate({
    plan,
    gate: name,
    gateId: gateIdOf({ runId: plan.runId, gate: name, revision: 1 }),
    instance,
    requestDigest: requestDigestOf(requestWith()),
    excluded: ['p_owner'],
    card,
    openedAt: '2026-11-21T09:00:00.000Z',
    expiresAt: '2026-11-22T09:00:00.000Z',
    nonce: '00112233445566778899aabbccddeeff',
  });
  return { gate, card };
}

/** As a database or a query hands them over. */
export const received = (of: {
  readonly gate: object;
  readonly card: object;
}): { document: string; card: string } => ({
  document: canonicalize(of.gate),
  card: canonicalize(of.card),
});

import { cardSchema, gateSchema } from '../domain/documents.js';
import type { NoticeKind } from '../domain/notices.js';
import type { Executor } from './connect.js';
import { addNotice } from './notices.js';
import type { Row } from './schema.js';

type Told = Extract<NoticeKind, `gate-${string}` | 'break-glass'>;

/**
 * Puts a notice about a gate into the outbox: who asks, for how much, until when, and who may answer, by register ids
 * and amounts alone. Each kind once for each gate. Amounts in minor units.
 */
export async function tellOfGate(
  tx: Executor,
  kind: Told,
  gate: Pick<Row<'gates'>, 'gate_id' | 'run_id' | 'gate' | 'revision' | 'document' | 'card'>,
  more: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  await addNotice(tx, {
    kind,
    dedupe: `${kind}:${gate.gate_id}`,
    runId: gate.run_id,
    payload: {
      gateId: gate.gate_id,
      gate: gate.gate,
      revision: gate.revision,
      ...askedAt(gate),
      ...more,
    },
  });
}

/** Nothing for a gate whose stored documents cannot be read: it has to close all the same. */
function askedAt(gate: Pick<Row<'gates'>, 'document' | 'card'>): Readonly<Record<string, unknown>> {
  const document = gateSchema.safeParse(parsed(gate.document));
  const card = cardSchema.safeParse(parsed(gate.card));
  if (!document.success || !card.success) return {};
  const { requester, agent, owner, totalMaxMinor, currency, actions } = card.data;
  const { environment, rule, expiresAt } = document.data;
  return {
    environment,
    requester,
    agent,
    owner,
    totalMaxMinor,
    currency,
    steps: actions.map(({ step }) => step),
    asked: rule.allOf,
    expiresAt,
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

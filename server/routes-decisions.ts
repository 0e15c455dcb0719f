import { z } from 'zod';
import { gateWordSchema } from '../domain/break-glass-documents.js';
import { digestSchema, gateIdSchema } from '../domain/documents.js';
import type { DecideMessage } from '../domain/documents.js';
import type { RunId } from '../domain/ids.js';
import type { DecisionVerdict } from '../gateway/contract.js';
import { recordWord } from '../gateway/break-glass.js';
import { recordSessionReject } from '../gateway/session-reject.js';
import { parseJson } from './body.js';
import { freshSessionOf, sessionOf } from './caller.js';
import { Problem } from './problem.js';
import type { Asked, Handler } from './routes.js';
import { bodyAs, runSeen } from './routes-runs.js';

/** A word without a signature stands on the sign-in alone: one of a working day, not of last week. In ms. */
const UNSIGNED_MAX_MS = 12 * 3_600_000;

/** What a person who has signed in may say without a key: no. There is no such form of an approve. */
const rejectSchema = z.strictObject({
  gateId: gateIdSchema,
  actionDigest: digestSchema,
  decision: z.literal('reject'),
  reason: z.string().min(1).max(2_000),
});

/** Records the decision first; the run is told afterwards, and finds it on record even if it never is. */
export const postDecision: Handler = async (asked) => {
  const { row, verdict, wake } = await recorded(asked);
  if (!verdict.accepted) throw new Problem(409, verdict.reason, 'the decision does not count');
  await asked.parts.temporal
    .run(row.run_id)
    .decide(wake)
    .catch((error: unknown) => {
      asked.parts.log.warn(
        { run: row.run_id, fault: error instanceof Error ? error.name : 'unknown' },
        'a run was not told of a decision; it will find it on record',
      );
    });
  return { status: 200, json: { gateState: verdict.gateState, approver: verdict.approver } };
};

async function recorded(asked: Asked) {
  const session = sessionOf(asked.caller);
  const row = await runSeen(asked);
  const runId = row.run_id as RunId;
  const { gateway } = asked.parts;
  const body = parseJson(asked.body, asked.contentType);
  const signed = typeof body === 'object' && body !== null && 'signature' in body;
  if (!signed) {
    const reject = bodyAs(rejectSchema, asked);
    freshSessionOf(asked.caller, UNSIGNED_MAX_MS, asked.parts.nowMs());
    const verdict = await recordSessionReject(gateway, runId, { session, reject });
    return { row, verdict, wake: wakeOf(asked, session.sessionId, reject) };
  }
  const message = gateWordSchema.safeParse(body);
  // guard: somebody else's signed decision is theirs to send.
  if (!message.success || message.data.approver !== session.person)
    throw new Problem(403, 'approver-foreign', 'this is no decision of the one who signed in');
  const verdict: DecisionVerdict = await recordWord(gateway, runId, body, 'http');
  return { row, verdict, wake: message.data };
}

/** Carries no authority, and a signature of nothing: it makes the run look at the record, where the reject stands. */
function wakeOf(
  { parts }: Asked,
  sessionId: string,
  { actionDigest, gateId, reason }: z.output<typeof rejectSchema>,
): DecideMessage {
  return {
    ...{ type: 'countersign.decision.v1', decision: 'reject', surface: 'inbox' },
    ...{ instance: parts.gateway.instance, gateId, actionDigest, reason },
    approver: 'p_session',
    keyId: Buffer.from(sessionId, 'hex').toString('base64url'),
    decidedAt: new Date(parts.nowMs()).toISOString(),
    signature: { kind: 'ed25519', value: Buffer.alloc(64).toString('base64url') },
  };
}

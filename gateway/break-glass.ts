import { judgeGlassAtReceipt, readBreakGlass } from '../domain/break-glass.js';
import type { GlassVerdict, ReceivedGlass } from '../domain/break-glass.js';
import { cardSchema } from '../domain/documents.js';
import { parseGateId } from '../domain/ids.js';
import type { RunId } from '../domain/ids.js';
import type { Policy } from '../domain/policy/schema.js';
import { ProtocolError } from '../domain/reasons.js';
import type { AssertionFacts } from '../domain/webauthn.js';
import { insertGlass, lockGlasses, openReviews, runsGlassUntil } from '../store/break-glasses.js';
import { databaseNow } from '../store/clock.js';
import type { Executor } from '../store/connect.js';
import { insertDecision, readDecisionRow } from '../store/decision-rows.js';
import { tellOfGate } from '../store/gate-notices.js';
import { closeGate, lockGate } from '../store/gate-rows.js';
import { appendLog } from '../store/log.js';
import type { Row } from '../store/schema.js';
import { believingRegister } from './believed.js';
import type { DecisionVerdict } from './contract.js';
import { gateRecordOf, granting, recordDecision, refuse, refuseBytes } from './decisions.js';
import type { Recording, Road } from './decisions.js';
import { signatureText } from './orders.js';
import { policyInForce } from './policy.js';
import { loadRun } from './record.js';
import { rolesOf } from './roles.js';
import { spendCounter } from './spend-counter.js';

/** Takes what came for a gate: a decision, or the word of somebody who passes it alone. Never throws for a bad message. */
export async function recordWord(
  parts: Recording,
  runId: RunId,
  message: unknown,
  road: Road,
): Promise<DecisionVerdict> {
  let glass: ReceivedGlass | undefined;
  try {
    glass = readBreakGlass(message);
  } catch (error) {
    if (error instanceof ProtocolError && typeof message === 'string')
      return recordDecision(parts, runId, message, road);
    return refuseBytes(parts, { runId, asked: 'break-glass', message }, error);
  }
  return glass === undefined
    ? recordDecision(parts, runId, message, road)
    : breakGlass(parts, runId, glass, road);
}

/**
 * One named person passes one gate alone, as the policy allows: in one transaction with the review that somebody else
 * owes, and with its notice. Cap, stop, door and every check of the effect stay as they are. A refusal is recorded.
 */
async function breakGlass(
  parts: Recording,
  runId: RunId,
  glass: ReceivedGlass,
  road: Road,
): Promise<DecisionVerdict> {
  const run = await loadRun(parts, runId);
  const { policy } = await policyInForce(parts.db, parts);
  const verdict = await parts.db.transaction().execute(async (tx): Promise<DecisionVerdict> => {
    const { gateId, approver } = glass.message;
    const gate = parseGateId(gateId)?.runId === runId ? await lockGate(tx, gateId) : undefined;
    if (gate === undefined) return { accepted: false, reason: 'gate-unknown' };
    if ((await readDecisionRow(tx, glass)) !== undefined)
      return { accepted: true, gateState: gate.state, approver };
    const judged = await judgedNow(parts, tx, { run: run.row, gate, policy, glass });
    const reason = judged.stands ? await spendCounter(tx, judged.signed) : judged.reason;
    if (!judged.stands || reason !== undefined)
      return { accepted: false, reason: reason ?? 'malformed', gateState: gate.state };
    const { assertion } = judged.signed;
    await accept(tx, { run: run.row, gate, glass, road, assertion });
    return { accepted: true, gateState: 'granted', approver };
  });
  if (!verdict.accepted)
    await refuse(parts, {
      runId,
      asked: `break-glass ${glass.message.gateId}`,
      reason: verdict.reason,
      detail: glass.sha256,
    });
  return verdict;
}

interface Passing {
  readonly run: Row<'runs'>;
  readonly gate: Row<'gates'>;
  readonly glass: ReceivedGlass;
}

async function judgedNow(
  parts: Recording,
  tx: Executor,
  { run, gate, glass, policy }: Passing & { readonly policy: Policy },
): Promise<GlassVerdict> {
  const { approver, keyId, expiresAt } = glass.message;
  const verdict = judgeGlassAtReceipt(glass, {
    instance: parts.instance,
    gate: gateRecordOf(gate),
    steps: cardSchema.parse(JSON.parse(gate.card)).actions.map(({ step }) => step),
    register: await believingRegister(tx, parts, { persons: [approver], keys: [keyId] }),
    relyingParty: parts.trust.relyingParty,
    policy,
    roles: await rolesOf(tx, run),
    nowMs: (await databaseNow(tx)).getTime(),
  });
  if (!verdict.stands) return verdict;
  // Two at once would not see each other's review: the second waits here for the first.
  await lockGlasses(tx);
  const reviews = await openReviews(tx);
  const own = reviews.filter(
    ({ run_id, person_id }) => run_id === run.run_id && person_id === approver,
  );
  const open = { stands: false, reason: 'break-glass-review-open' } as const;
  if (own.length < reviews.length) return open;
  // A later gate of the same run is the same emergency, as long as the first word for it lasts.
  const until = own.length === 0 ? undefined : await runsGlassUntil(tx, run.run_id);
  return until !== undefined && new Date(expiresAt).getTime() > until.getTime() ? open : verdict;
}

async function accept(
  tx: Executor,
  {
    run,
    gate,
    glass,
    road,
    assertion,
  }: Passing & { readonly road: Road; readonly assertion: AssertionFacts | undefined },
): Promise<void> {
  const { approver, keyId, expiresAt, reason, signature } = glass.message;
  await insertDecision(tx, {
    sha256: glass.sha256,
    statementSha256: glass.statementSha256,
    evidence: [],
    assertion,
    gateId: gate.gate_id,
    runId: run.run_id,
    person: approver,
    keyId,
    decision: 'approve',
    message: glass.canonical,
    signature: signatureText(signature),
    reason,
    road,
  });
  const caseId = await insertGlass(tx, {
    gateId: gate.gate_id,
    runId: run.run_id,
    digest: glass.sha256,
    person: approver,
    expiresAt,
    reason,
  });
  await granting(tx, { run, gate, persons: [approver] });
  await tellOfGate(tx, 'break-glass', gate, { by: approver, until: expiresAt, case: caseId });
  await closeGate(tx, {
    gateId: gate.gate_id,
    from: ['open'],
    to: 'granted',
    reason: `break-glass by ${approver}, until ${expiresAt}`,
    by: approver,
  });
  await appendLog(tx, {
    kind: 'break-glass',
    runId: run.run_id,
    payload: {
      gateId: gate.gate_id,
      person: approver,
      keyId,
      sha256: glass.sha256,
      until: expiresAt,
      case: caseId,
      road,
    },
  });
}

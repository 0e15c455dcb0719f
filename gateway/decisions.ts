import type { Anomaly } from '../domain/anomalies.js';
import { digestOfBytes, utf8 } from '../domain/canonical.js';
import { acceptDecision, readDecision, standingOf } from '../domain/decide.js';
import type { Acceptance, GateRecord, ReceivedDecision } from '../domain/decide.js';
import { cardSchema, gateSchema } from '../domain/documents.js';
import { parseGateId } from '../domain/ids.js';
import type { RunId } from '../domain/ids.js';
import type { Policy } from '../domain/policy/schema.js';
import { ProtocolError } from '../domain/reasons.js';
import { databaseNow } from '../store/clock.js';
import type { Executor } from '../store/connect.js';
import { insertDecision, isUsed, readDecisionRow, refusalsOf } from '../store/decision-rows.js';
import { closeGate, lockGate, planOfGate } from '../store/gate-rows.js';
import { appendLog } from '../store/log.js';
import { addNotice } from '../store/notices.js';
import { linkAccount } from '../store/principal-accounts.js';
import { recordRefusal } from '../store/refusals.js';
import type { Row } from '../store/schema.js';
import { acceptTerms } from '../store/terms.js';
import { haste, holdUnusual } from './anomalies.js';
import type { DecisionVerdict, GateState } from './contract.js';
import { signatureText } from './orders.js';
import type { Parts } from './parts.js';
import { policyInForce } from './policy.js';
import { loadRun } from './record.js';
import { believingRegister, type Pins } from './believed.js';
import { rolesOf } from './roles.js';
import { spendCounterOf } from './spend-counter.js';
import { countedApprovals, standingAt } from './standing.js';

export type Road = 'signal' | 'update' | 'cli' | 'http';

/** Refusals kept whole for each gate of each run; a flood of them is then neither stored nor logged. */
const REFUSALS_KEPT = 100;

/**
 * Accepts or refuses one decision, in one transaction, idempotent on its bytes. A refused one changes nothing and is
 * recorded by reason; one valid reject closes the gate. Never throws for a bad message.
 */
export async function recordDecision(
  parts: Recording,
  runId: RunId,
  message: unknown,
  road: Road,
): Promise<DecisionVerdict> {
  let received: ReceivedDecision;
  try {
    received = readDecision(message);
  } catch (error) {
    return refuseBytes(parts, { runId, asked: 'decide', message }, error);
  }
  const run = await loadRun(parts, runId);
  const { policy } = await policyInForce(parts.db, parts);
  const { statement } = received;
  const { hold, verdict } = await parts.db.transaction().execute(async (tx): Promise<Recorded> => {
    const named = parseGateId(statement.gateId);
    const gate = named?.runId === runId ? await lockGate(tx, statement.gateId) : undefined;
    const known = await readDecisionRow(tx, received);
    if (known !== undefined && gate !== undefined)
      return { verdict: { accepted: true, gateState: gate.state, approver: statement.approver } };
    // After the lock: a decision counts by the moment it is recorded, not by when its transaction began.
    const now = await databaseNow(tx);
    const facts = { run: run.row, gate, policy, now };
    const acceptance = await judged(parts, tx, message, { ...facts, statement });
    if (!acceptance.accepted || gate === undefined)
      return {
        verdict: {
          accepted: false,
          reason: acceptance.accepted ? 'gate-unknown' : acceptance.reason,
          ...(gate === undefined ? {} : { gateState: gate.state }),
        },
      };
    const spent = await spendCounterOf(tx, statement.keyId, acceptance.assertion);
    if (spent !== undefined)
      return { verdict: { accepted: false, reason: spent, gateState: gate.state } };
    const accepted = await accept(tx, parts, { ...facts, gate, acceptance, road });
    return {
      verdict: { accepted: true, gateState: accepted.state, approver: statement.approver },
      hold: accepted.hold,
    };
  });
  if (hold !== undefined) await holdUnusual(parts.db, { runId, anomaly: hold });
  if (!verdict.accepted)
    await refuse(parts, {
      runId,
      asked: `decide ${statement.gateId}`,
      reason: verdict.reason,
      detail: received.sha256,
    });
  return verdict;
}

interface Recorded {
  readonly verdict: DecisionVerdict;
  /** After it the policy holds the run still. */
  readonly hold?: Anomaly | undefined;
}

/** Refuses a message whose bytes brought this error; any other error goes on. */
export async function refuseBytes(
  parts: Recording,
  { asked, message, runId }: { runId: RunId; asked: string; message: unknown },
  error: unknown,
): Promise<DecisionVerdict> {
  if (!(error instanceof ProtocolError)) throw error;
  const spelled = typeof message === 'string' ? message : JSON.stringify([message]);
  // Each message once: two of them may be wrong in the same words.
  const detail = `${error.message}: ${digestOfBytes(utf8(spelled))}`;
  await refuse(parts, { runId, asked, reason: error.reason, detail });
  return { accepted: false, reason: error.reason };
}

/** What recording a decision needs of the gateway: also a command line that has the database alone can do it. */
export type Recording = Pick<Parts, 'db' | 'instance' | 'trust'>;

interface Facts {
  readonly run: Row<'runs'>;
  readonly gate: Row<'gates'> | undefined;
  readonly policy: Policy;
  readonly now: Date;
}

async function judged(
  parts: Recording,
  tx: Executor,
  message: unknown,
  of: Facts & { readonly statement: ReceivedDecision['statement'] },
): Promise<Acceptance> {
  const { gate, policy, run, statement } = of;
  const at = gate === undefined ? undefined : await standingAt(tx, gate.gate_id);
  return acceptDecision(message, {
    instance: parts.instance,
    gate: gate === undefined ? undefined : gateRecordOf(gate),
    register: await believingRegister(tx, parts, {
      persons: [statement.approver],
      keys: [statement.keyId],
    }),
    policy,
    roles: await rolesOf(tx, run),
    counted: at?.approvals.flatMap(({ person_id }) => person_id ?? []) ?? [],
    withdrawnAtMs: at?.withdrawnAtMs(statement.approver),
    used: gate !== undefined && (await isUsed(tx, gate.gate_id)),
    relyingParty: parts.trust.relyingParty,
    nowMs: of.now.getTime(),
  });
}

/** A gate's row in the words of the domain. */
export const gateRecordOf = (row: Row<'gates'>): GateRecord => ({
  document: gateSchema.parse(JSON.parse(row.document)),
  digest: row.digest,
  state: row.state,
});

/** Writes the decision and what follows from it: a rejected gate, a granted one, or one that waits for more. */
async function accept(
  tx: Executor,
  parts: Recording,
  of: Facts & {
    readonly gate: Row<'gates'>;
    readonly acceptance: Acceptance & { readonly accepted: true };
    readonly road: Road;
  },
): Promise<{ readonly state: GateState; readonly hold?: Anomaly | undefined }> {
  const { gate, policy, run } = of;
  const { assertion, decision, groups } = of.acceptance;
  const { statement, signature } = decision;
  await insertDecision(tx, {
    sha256: decision.sha256,
    gateId: gate.gate_id,
    runId: run.run_id,
    person: statement.approver,
    keyId: statement.keyId,
    decision: statement.decision,
    message: decision.canonical,
    statementSha256: decision.statementSha256,
    signature: signature === undefined ? '' : signatureText(signature),
    reason: statement.reason,
    road: of.road,
    evidence: groups,
    assertion,
  });
  const granted =
    statement.decision === 'approve' ? await grantedBy(tx, parts, { gate, policy }) : undefined;
  if (granted !== undefined) await granting(tx, { run, gate, persons: granted });
  await appendLog(tx, {
    kind: 'decision',
    runId: run.run_id,
    payload: {
      gateId: gate.gate_id,
      decision: statement.decision,
      person: statement.approver,
      keyId: statement.keyId,
      sha256: decision.sha256,
      road: of.road,
      groups: groups.map(({ group, source }) => `${source}:${group}`),
    },
  });
  const hasty = await haste(tx, {
    gate,
    policy: of.policy,
    decision: statement.decision,
    sha256: decision.sha256,
    now: of.now,
  });
  const again = hasty?.then === 'gate';
  const to = again ? 'void' : nextState(statement.decision, gate, granted !== undefined);
  const hold = hasty?.then === 'stop' ? hasty.anomaly : undefined;
  if (to === 'open') return { state: to, hold };
  await closeGate(tx, {
    gateId: gate.gate_id,
    from: ['open', 'granted'],
    to,
    reason: again
      ? `${hasty.anomaly.text}: read it, and decide again`
      : (statement.reason ?? (to === 'void' ? `withdrawn by ${statement.approver}` : null)),
    by: statement.approver,
  });
  return { state: to, hold };
}

/** A withdrawal leaves an open gate open, one approve poorer; what was granted on it ends. */
function nextState(
  decision: 'approve' | 'reject' | 'withdraw',
  gate: Row<'gates'>,
  granted: boolean,
): 'open' | 'granted' | 'rejected' | 'void' {
  if (decision === 'reject') return 'rejected';
  if (decision === 'withdraw') return gate.state === 'granted' ? 'void' : 'open';
  return granted ? 'granted' : 'open';
}

/** The persons whose approvals satisfy the gate's rule together, or undefined while somebody is missing. */
async function grantedBy(
  tx: Executor,
  pins: Pins,
  { gate, policy }: { readonly gate: Row<'gates'>; readonly policy: Policy },
): Promise<readonly string[] | undefined> {
  const { approvals } = await standingAt(tx, gate.gate_id);
  const counted = await countedApprovals(tx, pins, { approvals, policy });
  return standingOf(gateRecordOf(gate).document, counted).satisfied
    ? counted.map(({ person }) => person)
    : undefined;
}

/** What a grant says beside its actions: terms accepted, and a customer found by e-mail taken on a person's word. */
export async function granting(
  tx: Executor,
  of: { run: Row<'runs'>; gate: Row<'gates'>; persons: readonly string[] },
): Promise<void> {
  const { gate, persons, run } = of;
  const card = cardSchema.parse(JSON.parse(gate.card));
  for (const terms of card.terms)
    await acceptTerms(tx, {
      principal: run.principal,
      ...terms,
      gateId: gate.gate_id,
      acceptedBy: persons,
    });
  const planned = await planOfGate(tx, gate);
  const customer = planned?.quote.customer;
  if (planned?.plan.gates[0]?.gate === gate.gate && customer?.kind === 'adopt')
    await linkAccount(tx, {
      principal: run.principal,
      provider: 'stripe',
      account: customer.customerId,
      runId: run.run_id,
    });
}

/** Puts the refusal of a word on record, up to a number of each kind. */
export async function refuse(
  parts: Recording,
  refusal: { runId: RunId; asked: string; reason: string; detail: string },
): Promise<void> {
  const { count, same } = await refusalsOf(parts.db, refusal);
  if (same || count >= REFUSALS_KEPT) return;
  await parts.db.transaction().execute(async (tx) => {
    // A counter that steps back is what a copied passkey looks like: people are told.
    if (refusal.reason === 'webauthn-counter')
      await addNotice(tx, {
        kind: 'webauthn-counter',
        dedupe: `webauthn-counter:${refusal.detail}`,
        runId: refusal.runId,
        payload: { asked: refusal.asked },
      });
    await recordRefusal(tx, refusal);
  });
}

import { Failure } from '../domain/errors.js';
import type { FailureCode } from '../domain/errors.js';
import { isDigest, parseGateId } from '../domain/ids.js';
import type { GateId } from '../domain/ids.js';
import { capsFor } from '../domain/policy/caps.js';
import { decideAction } from '../domain/policy/decide.js';
import { demandsDelegation } from '../domain/policy/delegations.js';
import { type StoredDecision, verifyGrant } from '../domain/verify-grant.js';
import { readGrantFacts } from '../store/facts.js';
import type { GrantFacts } from '../store/facts.js';
import { readLifts } from '../store/lifts.js';
import type { Lift } from '../store/lifts.js';
import type { Row } from '../store/schema.js';
import type { CapAsk } from './door-contract.js';
import type { Effect } from './effect.js';
import type { Parts } from './parts.js';
import { believedPolicy } from './policy.js';
import type { PolicyInForce } from './policy-row.js';
import type { GrantRead, PlannedRun } from './record.js';
import { plannedStep } from './record.js';
import { believing } from './believed.js';
import { refuseUnsignedLifts } from './lifts.js';
import { registerIn, rolesAmong } from './roles.js';
import { voidGate } from './void-gate.js';

type ListingGate = NonNullable<GrantFacts['gate']>;

/** What the door is told of a judgement; it checks again what only it can see at that moment. */
export interface Judged {
  readonly gateId?: GateId;
  readonly decisions: readonly string[];
  readonly policyVersion: number;
  /** The policy asks for a delegation whoever answers for the agent. */
  readonly delegated: boolean;
  readonly caps: readonly CapAsk[];
}

/**
 * May this very action be sent, now? The policy in force decides again, and where people have to agree their grant is
 * verified anew from stored bytes. A grant that no longer covers the action is void from here on. `read`: what the grant
 * stands on, where it was read with the run.
 * @throws POLICY_MISSING, POLICY_DENIED, GATE_NEEDED, GRANT_VOID, APPROVAL_REJECTED, APPROVAL_EXPIRED
 */
export async function judge(
  parts: Parts,
  run: PlannedRun,
  effect: Effect,
  read?: GrantRead,
): Promise<Judged> {
  const [facts, lifts] = await Promise.all([
    factsOf(parts, run, effect, read),
    liftsOver(parts, run, effect, read),
  ]);
  await refuseUnsignedLifts(parts, { runId: run.runId, effect, lifts });
  const inForce = await believedPolicy(parts.db, parts, facts.policy);
  const verdict = decideAction(inForce.policy, {
    request: run.request,
    action: effect.document,
    nowMs: facts.now.getTime(),
  });
  if (verdict.verdict === 'denied')
    throw new Failure(
      'POLICY_DENIED',
      `${effect.step}: ${verdict.why.map(({ rule, text }) => `${rule}: ${text}`).join('; ')}`,
      { step: effect.step, rule: verdict.why[0]?.rule ?? '' },
    );
  // A plan that is denied in one point is denied whole: nothing of it is done, however harmless by itself.
  const [denial] = run.plan.denials;
  if (denial !== undefined)
    throw new Failure(
      'POLICY_DENIED',
      `${effect.step}: the plan is denied: ${denial.rule}: ${denial.message}`,
      { step: effect.step, rule: denial.rule },
    );
  const planned = plannedStep(run.plan, effect.step);
  const base = {
    policyVersion: inForce.version,
    delegated: demandsDelegation(inForce.policy.delegations, {
      environment: run.request.environment,
      tiers: planned === undefined ? [verdict.verdict] : [verdict.verdict, planned.tier],
    }),
    caps: capsFor(
      inForce.policy,
      {
        principal: run.row.principal,
        agent: run.row.agent,
        provider: effect.provider,
        runId: run.runId,
      },
      run.request.budget,
    ),
  };
  // guard: no grant is asked only where plan and policy in force both call the action autonomous; the stricter holds.
  if (
    verdict.verdict === 'autonomous' &&
    planned?.tier === 'autonomous' &&
    planned.gate === undefined
  )
    return { ...base, decisions: [] };
  const { gate } = facts;
  if (gate?.state !== 'granted') throw await noGrant(parts, run, effect, gate);
  return { ...base, ...(await verified(parts, { run, effect, gate, facts, inForce })) };
}

/** What was read with the run, where it is of this very action and of this moment. */
async function factsOf(
  parts: Parts,
  run: PlannedRun,
  { digest }: Effect,
  read: GrantRead | undefined,
): Promise<GrantFacts> {
  // guard: of the digest just computed; and not from before a wait, in which a person may have become an owner.
  if (read?.digest === digest && read.fresh.leftMs() > 0) return read.facts;
  const { plan_revision: planRevision } = run.row;
  return readGrantFacts(parts.db, { runId: run.runId, digest, planRevision });
}

/** Lifted stops over the effect, by the same rule. */
async function liftsOver(
  { db }: Parts,
  { runId }: PlannedRun,
  { provider }: Effect,
  read: GrantRead | undefined,
): Promise<readonly Lift[]> {
  // guard: of the provider that is about to be asked, whatever the plan's row says.
  if (read?.provider === provider && read.fresh.leftMs() > 0) return read.lifts;
  return readLifts(db, { runId, provider });
}

async function verified(
  parts: Parts,
  of: {
    readonly run: PlannedRun;
    readonly effect: Effect;
    readonly gate: ListingGate;
    readonly facts: GrantFacts;
    readonly inForce: PolicyInForce;
  },
): Promise<{ gateId: GateId; decisions: readonly string[] }> {
  const { run, effect, gate, facts } = of;
  const { request_digest: requestDigest } = run.row;
  if (!isDigest(requestDigest)) throw new Error(`invariant: ${requestDigest} is a digest`);
  const verdict = verifyGrant({
    instance: parts.instance,
    gate: { document: gate.document, state: gate.state },
    decisions: facts.decisions.map(storedDecisionOf),
    relyingParty: parts.trust.relyingParty,
    register: await believing(parts.db, parts, registerIn(facts), {
      persons: facts.persons.map(({ person_id }) => person_id),
      keys: facts.keys.map(({ key_id }) => key_id),
    }),
    policy: of.inForce.policy,
    roles: rolesAmong(facts.people, run.row),
    request: run.request,
    requestDigest,
    action: effect.document,
    tier: plannedStep(facts.gatePlan ?? run.plan, effect.step)?.tier ?? 'autonomous',
    nowMs: facts.now.getTime(),
  });
  const gateId = parseGateId(gate.gate_id)?.gateId;
  if (gateId === undefined) throw new Error(`invariant: ${gate.gate_id} is a gate id`);
  if (verdict.granted) return { gateId, decisions: verdict.decisions };
  const why = `${effect.step}: ${verdict.reason}: ${verdict.detail}`;
  await voidGate(parts.db, gateId, why);
  throw new Failure('GRANT_VOID', why, { step: effect.step, gateId, reason: verdict.reason });
}

const storedDecisionOf = (row: GrantFacts['decisions'][number]): StoredDecision => ({
  message: row.statement,
  acceptedMs: row.recorded_at.getTime(),
});

const WITHOUT: Readonly<Record<Row<'gates'>['state'], FailureCode>> = {
  open: 'GATE_NEEDED',
  granted: 'GATE_NEEDED',
  rejected: 'APPROVAL_REJECTED',
  expired: 'APPROVAL_EXPIRED',
  void: 'GRANT_VOID',
};

/** No live grant covers the action: says which gate does not, or what other action that gate was granted for. */
async function noGrant(
  parts: Parts,
  run: PlannedRun,
  effect: Effect,
  gate: ListingGate | undefined,
): Promise<Failure> {
  if (gate !== undefined)
    return new Failure(
      WITHOUT[gate.state],
      `${effect.step}: the gate ${gate.gate_id} is ${gate.state}${gate.reason === null ? '' : `: ${gate.reason}`}`,
      { step: effect.step, gateId: gate.gate_id, reason: `gate-${gate.state}` },
    );
  // A plan made anew: what was granted is another action, and its grant ends with it.
  const name = plannedStep(run.plan, effect.step)?.gate;
  const granted =
    name === undefined
      ? undefined
      : await parts.db
          .selectFrom('gates')
          .select('gate_id')
          .where('run_id', '=', run.runId)
          .where('gate', '=', name)
          .where('state', '=', 'granted')
          .executeTakeFirst();
  return new Failure(
    granted === undefined ? 'GATE_NEEDED' : 'GRANT_VOID',
    `${effect.step}: no gate covers ${effect.digest}`,
    {
      step: effect.step,
      reason: 'no-gate',
      ...(granted === undefined ? {} : { gateId: granted.gate_id }),
    },
  );
}

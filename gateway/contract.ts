import type { Denial, OpenGate, Plan, RunState, StepReport } from '../domain/plan.js';
import type { Digest, GateId, RunId } from '../domain/ids.js';
import type { EffectStep, Environment, StepName } from '../domain/steps.js';

/**
 * What activities may ask of the gateway. Every argument is a claim: run ids and step names only; request,
 * plan, gates, decisions, policy, caps and fences are read from the control database.
 */
export interface Gateway {
  /** Verifies who asks and writes the run's row. Same id and digest: the same run. @throws ADMISSION_REFUSED, REQUEST_INVALID */
  admit(claim: AdmissionClaim): Promise<Admitted>;
  /** Reads at the providers, plans, lets the policy judge; writes plan revision n+1. @throws POLICY_MISSING, NEEDS_INPUT, OUTCOME_UNKNOWN */
  plan(runId: RunId): Promise<PlanSummary>;
  /**
   * Reserves (the whole plan at the first gate) and writes gate document and card, once per revision; a retry returns the same row.
   * `not-needed` when policy calls everything the gate would cover autonomous. @throws BUDGET_EXCEEDED, FENCED, DOOR_CLOSED
   */
  openGate(
    runId: RunId,
    gate: string,
  ): Promise<OpenGate | { readonly gateId: undefined; readonly notNeeded: true }>;
  /** Accepts or refuses one decision by PROTOCOL.md item 11; idempotent on its bytes. Never throws for bad messages. */
  recordDecision(
    runId: RunId,
    message: unknown,
    road: 'signal' | 'update' | 'cli' | 'http',
    /** What the identity provider said of whoever decides, in the session of the HTTP road. */
  ): Promise<DecisionVerdict>;
  /** What the record says of a gate now, by the database's clock; reminder, escalation and end are passed if they have come. */
  gateStatus(runId: RunId, gateId: GateId): Promise<GateStatus>;
  /** What a person still has to do before this step can act. Reads only. */
  readiness(runId: RunId, step: StepName): Promise<Readiness>;
  /** Performs a step's one effect: authorize or claim, send, settle. Returns what is recorded if it has succeeded already. */
  perform(runId: RunId, step: EffectStep, sender: Sender): Promise<Performed>;
  /** Reads everything back and fetches the site under its own name. @throws VERIFICATION_FAILED, OUTCOME_UNKNOWN */
  verify(runId: RunId): Promise<StepReport>;
  /** Records the cause and closes the door. Idempotent. @throws NO_CAUSE when the record does not bear it out */
  closeDoor(runId: RunId, cause: Cause): Promise<{ readonly steps: readonly EffectStep[] }>;
  /** One step of unwinding; call again after `waitMs` until `done`. @throws NO_CAUSE, COMPENSATION_FAILED, USED_BY_OTHERS, OUTCOME_UNKNOWN */
  reverse(runId: RunId, step: EffectStep, sender: Sender): Promise<Reversed>;
  /** Sets the door to `completed` if it is open and every planned effect has succeeded. @throws DOOR_CLOSED, OUT_OF_ORDER */
  complete(runId: RunId): Promise<RunState>;
  /** Writes how the run ended, by its rows and the cause on record; releases what is still reserved. Idempotent; the first end stands. */
  finish(runId: RunId, why: string): Promise<RunState>;
  /** A stop over one run that came through Temporal: fences `run/<id>`. Needs no signature. */
  stopRun(runId: RunId, by: string, reason: string, mode: 'unwind' | 'hold'): Promise<void>;
  /** A signed way on for a stuck or held run. Refusals are recorded by reason. */
  resolve(runId: RunId, message: unknown): Promise<ResolveVerdict>;
  resume(runId: RunId, message: unknown): Promise<ResolveVerdict>;
  /** Marks a step that has no effect row, or whose attempts are used up, as failed: the cause of an unwinding. */
  recordFailure(runId: RunId, step: StepName, code: string, message: string): Promise<void>;
  /** Refuses and records an activity that no workflow has scheduled. @throws ADMISSION_REFUSED, always */
  stray(runId: string, activity: string): Promise<never>;
  /** The run as the database knows it; never asks a provider. */
  report(runId: RunId): Promise<RunState>;
}

export interface AdmissionClaim {
  readonly runId: string;
  /** Canonical JSON of the request (domain/request.ts). */
  readonly request: string;
  /**
   * Canonical JSON of the admission statement and its signature by a registered service key. Both absent: the server has
   * admitted the run by a token, and its row is there already.
   */
  readonly statement?: string;
  readonly signature?: string;
}

export interface Admitted {
  readonly runId: RunId;
  readonly requestDigest: Digest;
  readonly environment: Environment;
  readonly agent: string;
  readonly principal: string;
  readonly domain: string;
  /** True when the database says the run has ended or its door is closed: a reset acts on what was, never again. */
  readonly door: 'open' | 'closed' | 'completed';
}

export interface PlanSummary {
  readonly plan: Plan;
  readonly denials: readonly Denial[];
}

export type DecisionVerdict =
  | { readonly accepted: true; readonly gateState: GateState; readonly approver: string }
  /** `reason` is one of PROTOCOL.md item 11's names. */
  | { readonly accepted: false; readonly reason: string; readonly gateState?: GateState };

export type GateState = 'open' | 'granted' | 'rejected' | 'expired' | 'void';

export type GateStatus =
  | {
      readonly state: 'open';
      readonly remainingMs: number;
      /** Until its next moment: reminder, escalation or end. Histories from before there were any lack it. */
      readonly nextMs?: number;
      readonly missing: string;
    }
  | { readonly state: 'granted'; readonly approvers: readonly string[] }
  | { readonly state: 'rejected'; readonly by: string; readonly reason: string }
  | { readonly state: 'expired' }
  | { readonly state: 'void'; readonly reason: string };

export type Readiness =
  | { readonly ready: true }
  | { readonly ready: false; readonly need: string; readonly who: string; readonly url?: string };

/** Who is about to send: drawn afresh for each activity attempt, so that a lost answer of the door can be asked again. */
export interface Sender {
  readonly token: string;
  readonly attempt: number;
  /** Aborted on cancellation: waits and reads end; a mutating request on the wire runs to its `send_by`. */
  readonly signal: AbortSignal;
  /** Test failpoints: named places where a process may be killed. Does nothing unless a test armed it. */
  readonly failpoint?: (name: string) => void;
}

export interface Performed {
  readonly step: EffectStep;
  readonly object: string;
  readonly spentMinor: number;
  readonly attempt: number;
}

export type Reversed =
  | { readonly done: true; readonly report: StepReport }
  | { readonly done: false; readonly waitMs: number; readonly why: string };

export type Cause =
  | { readonly kind: 'failure'; readonly step: StepName }
  | { readonly kind: 'rejected'; readonly gateId: GateId }
  | { readonly kind: 'expired'; readonly gateId: GateId }
  | { readonly kind: 'void'; readonly gateId: GateId }
  | { readonly kind: 'denied' }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'resolved'; readonly step: StepName }
  /** Only the sweep, after Temporal itself said so explicitly. */
  | { readonly kind: 'temporal'; readonly status: 'TERMINATED' | 'FAILED' | 'TIMED_OUT' | 'LOST' };

export type ResolveVerdict =
  | {
      readonly accepted: true;
      readonly action: 'retry' | 'done-by-hand' | 'give-up' | 'resume';
      readonly by: string;
    }
  | { readonly accepted: false; readonly reason: string };

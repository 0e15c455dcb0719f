import type { AdmissionClaim, Cause } from '../gateway/contract.js';
import type { GateId, RunId } from '../domain/ids.js';
import type { Plan, PlanStep, RunState } from '../domain/plan.js';
import type { StepName } from '../domain/steps.js';

/**
 * What crosses Temporal between workflow and activities. Everything here lands in a history that many can
 * read: ids, codes, amounts and public words; never an action document (it names people) or a secret.
 */

export type {
  Admitted,
  AdmissionClaim,
  Cause,
  DecisionVerdict,
  GateState,
  GateStatus,
  Performed,
  Readiness,
  ResolveVerdict,
  Reversed,
} from '../gateway/contract.js';

export interface RunInput {
  readonly runId: RunId;
}

/** A plan as the workflow sees it: which steps act, behind which gate, at what cost. Amounts in minor units. */
export interface PlanView {
  readonly revision: number;
  readonly currency: string;
  readonly totalMaxMinor: number;
  /** Absent in histories from before it was told. */
  readonly price?: NonNullable<RunState['price']>;
  readonly steps: readonly PlanStepView[];
  readonly gates: readonly string[];
  readonly denials: Plan['denials'];
  /** What is unusual about it for its agent. */
  readonly anomalies?: NonNullable<Plan['anomalies']>;
}

export type PlanStepView = Pick<
  PlanStep,
  'step' | 'kind' | 'tier' | 'costMaxMinor' | 'reversal' | 'residue'
>;

export interface GateInput extends RunInput {
  readonly gate: string;
}

export interface GateStatusInput extends RunInput {
  readonly gateId: GateId;
}

/** Decisions as they came; one activity takes a batch, so that a flood costs few events. */
export interface DecisionsInput extends RunInput {
  readonly road: 'signal' | 'update';
  readonly messages: readonly unknown[];
}

export interface StepInput extends RunInput {
  readonly step: StepName;
}

export interface FailureInput extends StepInput {
  readonly code: string;
  readonly message: string;
}

export interface CloseInput extends RunInput {
  readonly cause: Cause;
}

export interface FinishInput extends RunInput {
  readonly why: string;
}

export interface StopInput extends RunInput {
  readonly by: string;
  readonly reason: string;
  readonly mode: 'unwind' | 'hold';
}

export interface SignedInput extends RunInput {
  readonly message: unknown;
}

/** Input of the workflow `provision`. */
export type ProvisionInput = AdmissionClaim;

/** Input of the workflow `repair`: what Temporal itself said of the run, as the sweep read it. */
export interface RepairInput extends RunInput {
  readonly status: 'TERMINATED' | 'FAILED' | 'TIMED_OUT' | 'LOST';
}

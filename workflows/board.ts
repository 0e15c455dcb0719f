import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import type { SearchAttributePair } from '@temporalio/common';
import type { Admitted, PlanView } from '../activities/api.js';
import type { RunId } from '../domain/ids.js';
import type { Denial, OpenGate, RunState, StepReport } from '../domain/plan.js';
import type { End, Phase, StepName } from '../domain/steps.js';
import { renderDetails } from './details.js';
import { SEARCH_ATTRIBUTES } from './messages.js';

type Waiting = NonNullable<RunState['waitsFor']>;

/**
 * Where the run stands, for the query and the Temporal UI. A convenience: nothing is decided on it. Amounts in
 * minor units.
 */
export class Board {
  #phase: Phase | End = 'quoting';
  #why = 'reading prices and what is there already';
  #waitsFor: Waiting | undefined;
  #gate: OpenGate | undefined;
  #plan: PlanView | undefined;
  #admitted: Admitted | undefined;
  #denials: readonly Denial[] = [];
  #refused = '';
  #provider = 'none';
  #final: RunState | undefined;
  readonly #steps = new Map<StepName, StepReport>();
  readonly #shown = new Map<string, string | number | boolean>();

  constructor(readonly runId: RunId) {}

  get phase(): Phase | End {
    return this.#phase;
  }

  get domain(): string {
    return this.#admitted?.domain ?? '';
  }

  get spentMinor(): number {
    return [...this.#steps.values()].reduce((sum, { spentMinor }) => sum + spentMinor, 0);
  }

  admitted(admitted: Admitted): void {
    this.#admitted = admitted;
    this.#publish([
      { key: SEARCH_ATTRIBUTES.agent, value: admitted.agent },
      { key: SEARCH_ATTRIBUTES.principal, value: admitted.principal },
      { key: SEARCH_ATTRIBUTES.domain, value: admitted.domain },
      { key: SEARCH_ATTRIBUTES.environment, value: admitted.environment },
    ]);
  }

  planned(plan: PlanView): void {
    this.#plan = plan;
    this.#denials = plan.denials;
    for (const { step, kind } of plan.steps) {
      const before = this.#steps.get(step)?.outcome;
      if (before === undefined || before === 'pending')
        this.report({ step, outcome: PLANNED[kind], spentMinor: 0 });
    }
    this.#publish();
  }

  /** Enters a phase. A new phase is worth an event in the history; a new reason is not. */
  enter(phase: Phase, why: string, waitsFor?: Waiting): void {
    this.#phase = phase;
    this.#why = why;
    this.#waitsFor = waitsFor;
    this.#publish();
  }

  /** Says why the phase lasts. */
  because(why: string): void {
    this.#why = why;
    this.#publish();
  }

  gate(gate: OpenGate | undefined): void {
    this.#gate = gate;
    this.#publish();
  }

  refused(words: string): void {
    this.#refused = words;
    this.#publish();
  }

  /** Shown with the phase that follows. */
  starting(step: StepName, provider: string): void {
    this.#provider = provider;
    this.mark(step, 'running');
  }

  /** Another outcome, and why; what was made and spent stays as it was reported. */
  mark(step: StepName, outcome: StepReport['outcome'], note?: string): void {
    const { object, spentMinor = 0, residue } = this.#steps.get(step) ?? {};
    this.report({
      step,
      outcome,
      spentMinor,
      ...(object === undefined ? {} : { object }),
      ...(residue === undefined ? {} : { residue }),
      ...(note === undefined ? {} : { note }),
    });
  }

  report(report: StepReport): void {
    this.#steps.set(report.step, report);
  }

  outcomeOf(step: StepName): StepReport['outcome'] | undefined {
    return this.#steps.get(step)?.outcome;
  }

  /** The record's own last word. */
  ended(state: RunState): void {
    this.#final = state;
    this.#phase = state.phase;
    this.#why = state.why;
    this.#waitsFor = undefined;
    this.#gate = undefined;
    this.#provider = 'none';
    for (const report of state.steps) this.report(report);
    this.#publish();
  }

  state(): RunState {
    if (this.#final !== undefined) return this.#final;
    const steps = [...this.#steps.values()];
    return {
      runId: this.runId,
      phase: this.#phase,
      why: this.#why,
      steps,
      currency: this.#plan?.currency ?? 'USD',
      ...(this.#plan?.price === undefined ? {} : { price: this.#plan.price }),
      reservedMinor: this.#reservedMinor(),
      spentMinor: this.spentMinor,
      residue: steps.flatMap(({ step, residue }) =>
        residue === undefined ? [] : [{ step, ...residue }],
      ),
      ...(this.#gate === undefined ? {} : { openGate: this.#gate }),
      ...(this.#waitsFor === undefined ? {} : { waitsFor: this.#waitsFor }),
      ...(this.#denials.length === 0 ? {} : { denials: this.#denials }),
      ...(this.#plan?.anomalies === undefined ? {} : { anomalies: this.#plan.anomalies }),
    };
  }

  /** What the plan set aside for steps that have not settled. */
  #reservedMinor(): number {
    const open = new Set<StepReport['outcome'] | undefined>(['pending', 'running', 'unknown']);
    return (this.#plan?.steps ?? [])
      .filter(({ step, kind }) => kind === 'act' && open.has(this.outcomeOf(step)))
      .reduce((sum, { costMaxMinor }) => sum + costMaxMinor, 0);
  }

  /** Upserts what has changed, and nothing else: each upsert is an event and a billed action. */
  #publish(more: readonly SearchAttributePair[] = []): void {
    const all: SearchAttributePair[] = [
      { key: SEARCH_ATTRIBUTES.phase, value: this.#phase },
      { key: SEARCH_ATTRIBUTES.awaitingApproval, value: this.#phase === 'awaiting-approval' },
      { key: SEARCH_ATTRIBUTES.provider, value: this.#provider },
      {
        key: SEARCH_ATTRIBUTES.spentMinor,
        value: this.#final?.spentMinor ?? this.spentMinor,
      },
      ...more,
    ];
    const changed = all.filter(({ key, value }) => this.#shown.get(key.name) !== value);
    for (const { key, value } of changed)
      if (typeof value !== 'object') this.#shown.set(key.name, value);
    if (changed.length > 0) upsertSearchAttributes(changed);
    setCurrentDetails(renderDetails(this.state(), this.domain, this.#refused));
  }
}

const PLANNED = {
  act: 'pending',
  read: 'pending',
  adopt: 'adopted',
  skip: 'skipped',
} as const;

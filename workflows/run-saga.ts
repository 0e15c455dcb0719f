import { CancellationScope, CancelledFailure, sleep } from '@temporalio/workflow';
import type { PlanView } from '../activities/api.js';
import type { RunState } from '../domain/plan.js';
import type { StepName } from '../domain/steps.js';
import type { EffectDefinition, StepDefinition } from './define-step.js';
import { endingOf, recordFailure } from './ending.js';
import type { Ending } from './ending.js';
import { failureOf } from './failure-of.js';
import { passGate } from './gate.js';
import { nextLookMs } from './poll.js';
import { act, actAfterPivot, actAtPivot, control, verifySite } from './proxies.js';
import type { Run } from './run.js';
import type { PendingReversal } from './take-back.js';
import { reversalOf } from './take-back.js';

/** A changed price, name or policy opens the next revision of a gate; without end it would be a loop. */
const REVISIONS_MAX = 10;

const PATIENCE = { early: act, pivot: actAtPivot, late: actAfterPivot } as const;

/**
 * Takes a run through its steps. It decides what comes next and nothing else: whether it may happen is asked of the
 * gateway each time. Reversals are put on the stack here; workflows/unwind.ts runs them.
 */
export class Saga {
  readonly pending: PendingReversal[] = [];
  readonly #steps: readonly StepDefinition[];
  #plan: PlanView | undefined;
  #at: StepName;
  #revisions = 0;
  readonly #granted = new Set<string>();

  constructor(
    readonly run: Run,
    steps: readonly [StepDefinition, ...StepDefinition[]],
  ) {
    this.#steps = steps;
    this.#at = steps[0].name;
  }

  /** Goes forward until it is done, held, or has to unwind. Starts again where it was held. */
  async forward(): Promise<Ending> {
    try {
      return await this.run.cancellable(() => this.#goOn());
    } catch (error) {
      return await CancellationScope.nonCancellable(() =>
        endingOf(this.run, error, { step: this.#at, planned: this.#plan !== undefined }),
      );
    }
  }

  async #goOn(): Promise<Ending> {
    if (this.#plan === undefined) {
      const denied = await this.#planAgain();
      if (denied !== undefined) return denied;
    }
    const refused = await this.#pass('plan');
    if (refused !== undefined) return refused;
    for (const step of this.#steps) {
      this.#at = step.name;
      const ended = await this.#take(step);
      if (ended !== undefined) return ended;
      // A cancelled step is waited for, so it may well have succeeded: the stop still stands.
      if (CancellationScope.current().consideredCancelled)
        throw new CancelledFailure(`stopped during ${step.name}`);
    }
    return { kind: 'completed', state: await this.#complete() };
  }

  /** Asked for, the end is the record's to say, as every end is: a wait cut short would leave nobody knowing it. */
  #complete(): Promise<RunState> {
    const { runId } = this.run;
    return CancellationScope.nonCancellable(() =>
      control.completeRun.executeWithOptions({ summary: 'complete the run' }, [{ runId }]),
    );
  }

  /** One step: ready, allowed, done. Answers only when the run is to end here. */
  async #take(step: StepDefinition): Promise<Ending | undefined> {
    this.run.checkSize();
    const kind = this.#plan?.steps.find((planned) => planned.step === step.name)?.kind ?? 'skip';
    if (kind === 'skip' || kind === 'adopt') return undefined;
    // Held and resumed: what has succeeded is not asked for again.
    if (this.run.board.outcomeOf(step.name) === 'succeeded') return undefined;
    if (step.name === 'verify-site') {
      this.#running(step, 'none');
      this.run.board.report(
        await this.#patiently(() =>
          verifySite.executeWithOptions({ summary: this.#title(step) }, [
            { runId: this.run.runId },
          ]),
        ),
      );
      return undefined;
    }
    const started = Date.now();
    for (;;) {
      await this.#ready(step.name);
      const refused = await this.#pass(step.name);
      if (refused !== undefined) return refused;
      try {
        await this.#perform(step);
        return undefined;
      } catch (error) {
        const { code, message } = failureOf(error);
        // The payment method or the consent went away again after it had been there.
        if (code === 'NEEDS_INPUT') await this.#waitForPerson(message, started);
        else if (code === 'GRANT_VOID' || code === 'GATE_NEEDED') {
          const ended = await this.#nextRevision(message);
          if (ended !== undefined) return ended;
        } else throw error;
      }
    }
  }

  async #perform(step: EffectDefinition): Promise<void> {
    const { runId, board } = this.run;
    this.#running(step, step.provider);
    // The reversal goes on the stack BEFORE the action: a timeout may hide a success.
    this.#hold(step);
    const done = await this.#patiently(() =>
      PATIENCE[step.patience][step.action].executeWithOptions({ summary: this.#title(step) }, [
        { runId },
      ]),
    );
    board.report({
      step: step.name,
      outcome: 'succeeded',
      object: done.object,
      spentMinor: done.spentMinor,
    });
  }

  #hold(step: EffectDefinition): void {
    if (!this.pending.some(({ step: held }) => held === step.name))
      this.pending.push(reversalOf(step));
  }

  #running(step: StepDefinition, provider: string): void {
    this.run.board.starting(step.name, provider);
    this.run.board.enter('running', this.#title(step));
  }

  /** Static words and the domain's name: no person, no secret, nothing of the agent's. */
  #title({ title }: StepDefinition): string {
    return this.run.board.domain === '' ? title : `${title} (${this.run.board.domain})`;
  }

  /** Plans at the prices of this moment. Answers only when the policy denies the plan. */
  async #planAgain(): Promise<Ending | undefined> {
    const { runId, board } = this.run;
    const started = Date.now();
    for (;;) {
      try {
        const plan = await this.#patiently(() =>
          control.planRun.executeWithOptions({ summary: 'quote and plan' }, [{ runId }]),
        );
        this.#plan = plan;
        board.planned(plan);
        const [denial] = plan.denials;
        if (denial === undefined) return undefined;
        const why = `denied by ${denial.rule}: ${denial.message}`;
        return { kind: 'unwind', cause: { kind: 'denied' }, why };
      } catch (error) {
        const { code, message } = failureOf(error);
        if (code !== 'NEEDS_INPUT') throw error;
        await this.#waitForPerson(message, started);
      }
    }
  }

  /** Stands at a gate of the plan. What is no gate, or has been granted, is passed. */
  async #pass(gate: string): Promise<Ending | undefined> {
    for (;;) {
      const isGate = gate === 'plan' || this.#plan?.gates.includes(gate) === true;
      if (!isGate || this.#granted.has(gate)) return undefined;
      const outcome = await passGate(this.run, gate);
      if (outcome.kind === 'granted') {
        this.#granted.add(gate);
        return undefined;
      }
      if (outcome.kind === 'refused')
        return { kind: 'unwind', cause: outcome.cause, why: outcome.why };
      const ended = await this.#nextRevision(outcome.why);
      if (ended !== undefined) return ended;
    }
  }

  /** A grant has become void: every gate is asked again; those whose grant still stands answer at once. */
  async #nextRevision(why: string): Promise<Ending | undefined> {
    this.#revisions += 1;
    this.#granted.clear();
    this.run.board.enter('quoting', `planning again: ${why}`);
    if (this.#revisions > REVISIONS_MAX) {
      await recordFailure(this.run, this.#at, {
        code: 'GRANT_VOID',
        message: `planned ${REVISIONS_MAX} times; last: ${why}`,
      });
      return { kind: 'unwind', cause: { kind: 'failure', step: this.#at }, why };
    }
    return (await this.#planAgain()) ?? (await this.#pass('plan'));
  }

  /** Waits, without a command, until a person has done at the provider what only a person can do. */
  async #ready(step: StepName): Promise<void> {
    const started = Date.now();
    for (;;) {
      const readiness = await this.#patiently(() =>
        control.readiness.executeWithOptions({ summary: `is ${step} ready to run` }, [
          { runId: this.run.runId, step },
        ]),
      );
      if (readiness.ready) return;
      await this.#waitForPerson(readiness.need, started, readiness.who);
    }
  }

  /**
   * A provider that does not answer, or allows no more calls now, is waited for here and not within a step's own time:
   * an outage is no reason to take everything back. Nothing had been begun.
   */
  async #patiently<T>(body: () => Promise<T>): Promise<T> {
    const started = Date.now();
    for (;;) {
      try {
        return await body();
      } catch (error) {
        const { code, message } = failureOf(error);
        if (code !== 'PROVIDER_WAITS') throw error;
        this.run.board.because(message);
        this.run.checkSize();
        await sleep(nextLookMs(Date.now() - started), { summary: message });
      }
    }
  }

  async #waitForPerson(need: string, startedMs: number, who = 'the principal'): Promise<void> {
    this.run.board.enter('needs-input', need, {
      what: need,
      who,
      command: `countersign why ${this.run.runId}`,
    });
    this.run.checkSize();
    await sleep(nextLookMs(Date.now() - startedMs), { summary: 'looks again by itself' });
  }
}

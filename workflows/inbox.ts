import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  setHandler,
} from '@temporalio/workflow';
import type { DecisionVerdict } from '../activities/api.js';
import { gateWordSchema } from '../domain/break-glass-documents.js';
import type { GateWord } from '../domain/break-glass-documents.js';
import { stopMessageSchema } from '../domain/documents.js';
import type { StopMessage } from '../domain/documents.js';
import type { RunId } from '../domain/ids.js';
import type { OpenGate } from '../domain/plan.js';
import { decideSignal, decideUpdate, resolveSignal, resumeSignal, stopSignal } from './messages.js';
import { control } from './proxies.js';
import { RefusalLog } from './refusals.js';

const BATCH = 25;
const QUEUED_MAX = 1_000;
const MESSAGE_CHARS_MAX = 16_384;

/**
 * Everything that reaches a run from outside. Handlers only look at the shape and queue: a throw in a signal handler
 * would end the run without its reversals. What a decision is worth is said by the gateway's record, never here.
 */
export class Inbox {
  readonly refusals = new RefusalLog();
  /** Grows with every decision that was recorded: a gate that waits looks at the record again. */
  recorded = 0;
  stop: StopMessage | undefined;
  readonly #decisions: unknown[] = [];
  readonly #resolves: unknown[] = [];
  readonly #resumes: unknown[] = [];
  #gate: OpenGate | undefined;
  isAdmitted = false;
  #recording = 0;
  #onStop: (stop: StopMessage) => void = () => undefined;

  constructor(readonly runId: RunId) {}

  /** Registers every handler. Call before the first await: what came earlier is delivered then. */
  listen(onStop: (stop: StopMessage) => void): void {
    this.#onStop = onStop;
    setHandler(decideSignal, (message) => {
      this.#take(message);
    });
    setHandler(decideUpdate, (message) => this.#answer(message), {
      validator: (message) => {
        this.#validate(message);
      },
      unfinishedPolicy: 'ABANDON',
    });
    setHandler(stopSignal, (message) => {
      const parsed = stopMessageSchema.safeParse(message);
      if (parsed.success) this.requestStop(parsed.data);
    });
    setHandler(resolveSignal, (message) => {
      if (this.#resolves.length < QUEUED_MAX) this.#resolves.push(message);
    });
    setHandler(resumeSignal, (message) => {
      if (this.#resumes.length < QUEUED_MAX) this.#resumes.push(message);
    });
    void this.#pump();
  }

  /** From now on decisions can be recorded: the run has its row. */
  admitted(): void {
    this.isAdmitted = true;
  }

  /** Tells which gate is open, so that a flood of messages that cannot be meant for it is merely counted. */
  gateOpened(gate: OpenGate | undefined): void {
    this.#gate = gate;
    if (gate !== undefined) this.refusals.startGate();
  }

  /** An unwinding stop overrules a holding one, never the other way round. */
  requestStop(stop: StopMessage): void {
    if (this.stop?.mode === 'unwind' || (this.stop !== undefined && stop.mode === 'hold')) return;
    this.stop = stop;
    this.#onStop(stop);
  }

  /** A stop that is on its way gets a moment to arrive. */
  async stopComes(): Promise<void> {
    await condition(() => this.stop !== undefined, '2s');
  }

  /** The next signed way on for a stuck run, when there is one. */
  readonly hasResolve = (): boolean => this.#resolves.length > 0;
  readonly hasResume = (): boolean => this.#resumes.length > 0;
  nextResolve(): unknown {
    return this.#resolves.shift();
  }
  nextResume(): unknown {
    return this.#resumes.shift();
  }

  /** Waits, for a bounded time, until what came before the end is on record and every update has its answer. */
  async settle(): Promise<void> {
    await condition(
      () =>
        this.#recording === 0 &&
        (!this.isAdmitted || this.#decisions.length === 0) &&
        allHandlersFinished(),
      '10s',
    );
  }

  #take(message: unknown): void {
    if (tooLarge(message)) this.refusals.add('too-large');
    else if (this.#decisions.length >= QUEUED_MAX) this.refusals.add('queue-full');
    else if (this.refusals.isFull && !this.#isMeantForGate(message))
      this.refusals.add('not-for-this-gate');
    else this.#decisions.push(message);
  }

  #isMeantForGate(message: unknown): boolean {
    const parsed = gateWordSchema.safeParse(message);
    return (
      parsed.success &&
      parsed.data.gateId === this.#gate?.gateId &&
      parsed.data.actionDigest === this.#gate.digest
    );
  }

  /** A rejected update leaves no trace in the history, so a flood of them costs nothing. */
  #validate(message: unknown): void {
    const refuse = (why: string): never => {
      throw ApplicationFailure.nonRetryable(`decide: ${why}`, 'REQUEST_INVALID');
    };
    if (tooLarge(message)) refuse('the message is larger than 16 KiB');
    const parsed = gateWordSchema.safeParse(message);
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      refuse(`malformed at ${issue?.path.join('.') ?? 'the top'}: ${issue?.message ?? 'unknown'}`);
    } else if (parsed.data.gateId !== this.#gate?.gateId)
      refuse(`gate ${parsed.data.gateId} is not open`);
  }

  async #answer(message: GateWord): Promise<DecisionVerdict> {
    const [verdict] = await this.#record('update', [message]);
    if (verdict === undefined)
      throw ApplicationFailure.nonRetryable(
        'decide: the decision could not be recorded; send it again',
        'STORE_UNAVAILABLE',
      );
    return verdict;
  }

  async #pump(): Promise<never> {
    return CancellationScope.nonCancellable(async () => {
      for (;;) {
        await condition(() => this.isAdmitted && this.#decisions.length > 0);
        await this.#record('signal', this.#decisions.splice(0, BATCH));
      }
    });
  }

  async #record(
    road: 'signal' | 'update',
    messages: readonly unknown[],
  ): Promise<readonly DecisionVerdict[]> {
    this.#recording += 1;
    try {
      return await CancellationScope.nonCancellable(async () => {
        const verdicts = await control.recordDecision.executeWithOptions(
          { summary: `record ${messages.length} decision(s) that came by ${road}` },
          [{ runId: this.runId, road, messages }],
        );
        for (const verdict of verdicts) if (!verdict.accepted) this.refusals.add(verdict.reason);
        return verdicts;
      });
    } catch {
      // It stays in the history, and the gate asks the record: an unrecorded decision counts for nothing.
      for (let lost = 0; lost < messages.length; lost += 1) this.refusals.add('not-recorded');
      return [];
    } finally {
      this.#recording -= 1;
      this.recorded += 1;
    }
  }
}

/** Measures without trusting the shape; what has no JSON form is too large for us. */
function tooLarge(message: unknown): boolean {
  try {
    // Undefined, which JSON.stringify answers for what has no JSON form, is longer than any number of characters.
    const text = JSON.stringify(message) as string | undefined;
    return text === undefined || text.length > MESSAGE_CHARS_MAX;
  } catch {
    return true;
  }
}

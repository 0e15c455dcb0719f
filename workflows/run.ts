import {
  CancellationScope,
  condition,
  isCancellation,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { RunId } from '../domain/ids.js';
import { Board } from './board.js';
import { failureOf } from './failure-of.js';
import { Inbox } from './inbox.js';
import { judged } from './judged.js';
import { stateQuery } from './messages.js';
import { closing, judging } from './proxies.js';

/** Long before the server's own limit ends a run without its reversals, it holds and asks for a person. */
const EVENTS_MAX = 4_000;
const EVENTS_MORE_AFTER_RESUME = 2_000;

/** One run: its board, its inbox, and the scope that a stop cancels. */
export class Run {
  readonly board: Board;
  readonly inbox: Inbox;
  #scope: CancellationScope | undefined;
  #fencing: Promise<void> = Promise.resolve();
  #eventsMax = EVENTS_MAX;
  #floodIgnored = false;

  constructor(readonly runId: RunId) {
    this.board = new Board(runId);
    this.inbox = new Inbox(runId);
  }

  /** Registers handlers and turns Temporal's own cancellation into a stop. Call before the first await. */
  listen(): void {
    setHandler(stateQuery, () => this.board.state());
    this.inbox.listen((stop) => {
      this.#scope?.cancel();
      this.#fencing = this.#fencing.then(() => this.#fence(stop));
    });
    CancellationScope.current().cancelRequested.catch(() => {
      this.inbox.requestStop({
        mode: 'unwind',
        by: 'temporal',
        reason: 'cancelled through Temporal',
      });
    });
  }

  /** Runs what a stop may interrupt. */
  async cancellable<T>(body: () => Promise<T>): Promise<T> {
    const scope = new CancellationScope();
    this.#scope = scope;
    if (this.inbox.stop !== undefined) scope.cancel();
    try {
      return await scope.run(body);
    } finally {
      this.#scope = undefined;
    }
  }

  /** The stop is in the record, fence and all. */
  fenced(): Promise<void> {
    return this.#fencing;
  }

  /** Holds the run when its history grows towards the server's limit, or a flood of messages hits it. */
  checkSize(): void {
    const tooLong = workflowInfo().historyLength > this.#eventsMax;
    const flooded = this.inbox.refusals.isFlooded && !this.#floodIgnored;
    if (!tooLong && !flooded) return;
    const reason = tooLong
      ? `the history has passed ${this.#eventsMax} events`
      : 'more than 2,000 refused messages';
    if (tooLong) this.#eventsMax = workflowInfo().historyLength + EVENTS_MORE_AFTER_RESUME;
    else this.#floodIgnored = true;
    this.inbox.requestStop({ mode: 'hold', by: 'workflow', reason });
  }

  /** Waits out a hold. True when a signed resume was accepted, false when the run is to unwind. */
  async resumed(): Promise<boolean> {
    const stop = this.inbox.stop;
    this.board.enter('held', stop?.reason ?? 'held', {
      what: 'a signed resume, or a stop that unwinds',
      who: 'a person who may resume it',
      command: `countersign resume --run ${this.runId} --reason '…' --key FILE`,
    });
    return CancellationScope.nonCancellable(async () => {
      await this.fenced();
      for (;;) {
        await condition(() => this.inbox.hasResume() || this.inbox.stop?.mode !== 'hold');
        if (this.inbox.stop?.mode !== 'hold') return false;
        const verdict = await judged(() =>
          judging.resumeRun.executeWithOptions(
            { summary: 'is the resume signed by somebody who may' },
            [{ runId: this.runId, message: this.inbox.nextResume() }],
          ),
        );
        if (verdict.accepted) {
          this.inbox.stop = undefined;
          return true;
        }
        this.inbox.refusals.add(`resume-${verdict.reason}`);
        this.board.refused(String(this.inbox.refusals));
      }
    });
  }

  /** Fences the run at once, beside whatever is still on the wire. Never throws: handlers lead here. */
  async #fence({ by, reason, mode }: { by: string; reason: string; mode: 'unwind' | 'hold' }) {
    try {
      await CancellationScope.nonCancellable(async () => {
        await condition(() => this.inbox.isAdmitted);
        await closing.stopRun.executeWithOptions({ summary: `stop (${mode})` }, [
          { runId: this.runId, by, reason, mode },
        ]);
      });
    } catch (error) {
      // A stop that the record refuses is shown when the door is closed: its cause will be missing.
      if (!isCancellation(error)) failureOf(error);
    }
  }
}

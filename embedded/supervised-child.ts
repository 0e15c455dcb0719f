import { randomBytes } from 'node:crypto';
import type { EventEmitter } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { reasonOf, UnreachableError } from '../config/errors.js';
import { BoundedLog } from './bounded-log.js';
import type { PidFile } from './leftovers.js';
import { spawnGroup, type GroupCommand, type ProcessGroup } from './process-group.js';

export interface ChildEvent {
  readonly name: string;
  readonly kind: 'started' | 'ready' | 'unresponsive' | 'exited';
  readonly pid: number;
  /** Why it exited, how long it took to be ready, when it comes back. */
  readonly detail: string;
}
export type ChildEvents = EventEmitter<{ child: [ChildEvent] }>;

/** What is known of one start of a child while it gets ready. */
export interface Start {
  readonly nonce: string;
  readonly ended: () => boolean;
  /** Resolves when the child has written a line of JSON with this start's nonce to its stdout. */
  readonly announced: Promise<void>;
}

export interface ChildPlan {
  readonly name: string;
  readonly command: (nonce: string) => GroupCommand;
  /** Resolves when the application answers; a port that is open proves nothing. */
  readonly ready: (start: Start) => Promise<void>;
  /** Asked once a second when ready; after `PROBE_FAILURES` refusals in a row the child is killed. */
  readonly probe?: () => Promise<void>;
  readonly stopSignal: NodeJS.Signals;
  readonly graceMs: number;
  readonly logFile: string;
}

const LONG_LIFE_MS = 10_000;
const DELAY_MAX_MS = 5_000;
const READY_TIMEOUT_MS = 60_000;
const PROBE_EVERY_MS = 1_000;
/** Ten seconds or more of silence: a machine under load answers late, and a database that is killed for it answers not at all. */
const PROBE_FAILURES = 10;
/** A child that has never been ready and ends this often stops the start of the stack. */
const FIRST_STARTS_MAX = 5;

/** The pause before the next start, ms: 50 after a long life, else 200, 400 … 5,000. */
export function restartDelay(previousMs: number, livedMs: number): number {
  if (livedMs >= LONG_LIFE_MS) return 50;
  return previousMs < 200 ? 200 : Math.min(previousMs * 2, DELAY_MAX_MS);
}

/** One child process that is kept running until it is told to stop. */
export class SupervisedChild {
  readonly #plan: ChildPlan;
  readonly #pids: PidFile;
  readonly #events: ChildEvents;
  readonly #stopping = new AbortController();
  readonly #log: BoundedLog;
  #group: ProcessGroup | undefined;
  #loop: Promise<void> = Promise.resolve();
  #lastOutput = '';
  #everReady = false;

  constructor(plan: ChildPlan, pids: PidFile, events: ChildEvents) {
    this.#plan = plan;
    this.#pids = pids;
    this.#events = events;
    this.#log = new BoundedLog(plan.logFile);
  }

  get name(): string {
    return this.#plan.name;
  }

  /** The process id of the running instance, if one runs now. */
  get pid(): number | undefined {
    return this.#group?.ended() === false ? this.#group.pid : undefined;
  }

  /** Starts it and resolves when it is ready for the first time. @throws UnreachableError when it never gets there */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#loop = this.#keepRunning(resolve, reject);
    });
  }

  /** Signals its whole process group; it is restarted if that ends it. */
  kill(signal: NodeJS.Signals): boolean {
    return this.#group?.signal(signal) ?? false;
  }

  /** Ends it for good: its own signal first, the kill after the grace time. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#group?.end(this.#plan.stopSignal, this.#plan.graceMs);
    await this.#loop;
    this.#log.close();
  }

  async #keepRunning(onReady: () => void, onFailure: (error: Error) => void): Promise<void> {
    let delayMs = 0;
    for (let starts = 1; !this.#stopped(); starts += 1) {
      const began = performance.now();
      const why = await this.#live(() => {
        this.#everReady = true;
        onReady();
      }).catch(reasonOf);
      if (this.#stopped()) break;
      if (!this.#everReady && starts >= FIRST_STARTS_MAX) {
        onFailure(this.#neverReady(why));
        return;
      }
      delayMs = restartDelay(delayMs, performance.now() - began);
      this.#emit('exited', `${why}; comes back in ${delayMs} ms`);
      await pause(delayMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
    }
  }

  /** One life: start, ready, end. Whatever is left of the group is killed before this resolves with the reason. */
  async #live(onReady: () => void): Promise<string> {
    const began = performance.now();
    const nonce = randomBytes(16).toString('hex');
    const group = spawnGroup(this.#plan.command(nonce));
    this.#group = group;
    const announced = this.#readOutput(group, nonce);
    this.#emit('started', '');
    await this.#pids.add(this.name, group.pid);
    const life = new AbortController();
    let ready = false;
    let trouble: string | undefined;
    const watch = this.#plan
      .ready({ nonce, ended: group.ended, announced })
      .then(async () => {
        // An answer from somebody else on the same port must not count for a child that is gone.
        if (group.ended() || life.signal.aborted) return;
        ready = true;
        this.#emit('ready', `after ${Math.round(performance.now() - began)} ms`);
        onReady();
        await this.#probeUntil(life.signal, group);
      })
      .catch((error: unknown) => {
        trouble = reasonOf(error);
        group.signal('SIGKILL');
      });
    const timer = setTimeout(() => {
      if (ready) return;
      trouble = `not ready after ${READY_TIMEOUT_MS} ms`;
      group.signal('SIGKILL');
    }, READY_TIMEOUT_MS);
    const exit = await group.exit;
    clearTimeout(timer);
    life.abort();
    await group.end('SIGKILL', 0);
    this.#pids.remove(this.name);
    void watch;
    return trouble === undefined ? exit : `${exit} (${trouble})`;
  }

  async #probeUntil(life: AbortSignal, group: ProcessGroup): Promise<void> {
    const { probe } = this.#plan;
    if (probe === undefined) return;
    for (let failures = 0; failures < PROBE_FAILURES;) {
      await pause(PROBE_EVERY_MS, undefined, { signal: life }).catch(() => undefined);
      if (life.aborted) return;
      failures = await probe().then(
        () => 0,
        () => failures + 1,
      );
    }
    if (life.aborted) return;
    this.#emit('unresponsive', `no answer ${PROBE_FAILURES} times`);
    group.signal('SIGKILL');
  }

  #readOutput(group: ProcessGroup, nonce: string): Promise<void> {
    group.stderr.on('data', (chunk: Buffer) => {
      this.#lastOutput = chunk.toString('utf8').trim().split('\n').at(-1) ?? this.#lastOutput;
      this.#log.write(chunk);
    });
    return new Promise((resolve) => {
      let line = '';
      group.stdout.on('data', (chunk: Buffer) => {
        this.#log.write(chunk);
        const lines = (line + chunk.toString('utf8')).split('\n');
        line = (lines.pop() ?? '').slice(-10_000);
        if (lines.some((text) => announces(text, nonce))) resolve();
      });
    });
  }

  #neverReady(why: string): UnreachableError {
    const said = this.#lastOutput === '' ? '' : `: ${this.#lastOutput.slice(0, 500)}`;
    return new UnreachableError({
      what: `${this.name} does not start, ${why}${said}`,
      remedy: `See ${this.#plan.logFile}`,
    });
  }

  #stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  #emit(kind: ChildEvent['kind'], detail: string): void {
    const pid = this.#group?.pid ?? 0;
    this.#events.emit('child', { name: this.name, kind, pid, detail });
  }
}

function announces(text: string, nonce: string): boolean {
  if (!text.startsWith('{')) return false;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && 'ready' in value && value.ready === nonce;
  } catch {
    return false;
  }
}

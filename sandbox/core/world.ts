import { randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { VirtualClock } from './clock.js';
import { WORLD_NAME } from './credentials.js';
import { FaultPlan } from './faults.js';
import type { ArmedFault } from './faults.js';
import { REQUESTS_KEPT } from './requests.js';
import type { RequestRecord } from './requests.js';

/** A route that the stand-ins do not have, or a defect of theirs: a test fails on each. */
export interface UnknownRoute {
  readonly at: number;
  readonly provider: string;
  readonly method: string;
  readonly path: string;
  /** Set when the route is there and the stand-in itself broke. */
  readonly defect?: string;
}

interface WorldFile {
  format: 1;
  name: string;
  aheadMs: number;
  faults: ArmedFault[];
  unknownRoutes: UnknownRoute[];
  slots: Record<string, object>;
}

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

const empty = (name: string): WorldFile => ({
  format: 1,
  name,
  aheadMs: 0,
  faults: [],
  unknownRoutes: [],
  slots: {},
});

/**
 * One world: what really exists at the providers, its own clock and its own faults. It is one
 * JSON file, saved before each answer, so that it outlives a kill.
 */
export class World {
  readonly name: string;
  /** Every request a provider port received, oldest first. */
  readonly requests: RequestRecord[] = [];
  readonly #path: string;
  readonly #requestsPath: string;
  readonly #clock: VirtualClock;
  #file: WorldFile;
  #faults: FaultPlan;
  #nextSeq = 1;
  /** What is on disk: a world that did not change since is not written again. */
  #saved = '';
  #revision = 0;
  #writing: Promise<void> = Promise.resolve();
  #queued: Promise<void> | undefined;

  /** Opens the world that `dir` holds, or an empty one. */
  constructor(dir: string, name: string) {
    this.name = name;
    this.#path = join(dir, `${name}.json`);
    this.#requestsPath = join(dir, `${name}.requests.jsonl`);
    this.#file = existsSync(this.#path) ? readWorldFile(this.#path) : empty(name);
    this.#clock = new VirtualClock(this.#file.aheadMs);
    this.#faults = new FaultPlan(this.#file.faults);
    this.requests.push(...readRequests(this.#requestsPath));
    this.#nextSeq = (this.requests.at(-1)?.seq ?? 0) + 1;
  }

  /** Grows whenever something changed and was saved: whoever looks again knows that it is worth it. */
  get revision(): number {
    return this.#revision;
  }

  /** Virtual now in ms since the epoch: the real clock plus what the control port advanced. */
  now(): number {
    return this.#clock.now();
  }

  /** Moves this world's clock forward by `ms`. */
  advance(ms: number): void {
    this.#clock.advance(ms);
  }

  get faults(): FaultPlan {
    return this.#faults;
  }

  get unknownRoutes(): readonly UnknownRoute[] {
    return this.#file.unknownRoutes;
  }

  noteUnknownRoute(route: UnknownRoute): void {
    this.#file.unknownRoutes.push(route);
  }

  /**
   * A provider's state: a plain JSON-able object, made once and saved with the world. Ask for it
   * in each request, for a reset replaces it. The caller names the type it stored under `name`.
   */
  slot<T extends object>(name: string, make: () => T): T {
    const held = this.#file.slots[name];
    if (held !== undefined) return held as T;
    const made = make();
    this.#file.slots[name] = made;
    return made;
  }

  /** The same if it was made before: looking makes nothing. */
  peek(name: string): object | undefined {
    return this.#file.slots[name];
  }

  /** A fresh id: `prefix` and 24 random letters and digits. */
  id(prefix: string): string {
    return prefix + Array.from(randomBytes(24), (byte) => BASE62.charAt(byte % 62)).join('');
  }

  /** Notes a request as it arrives; `finish` writes it down once its answer is known. */
  noteRequest(record: Omit<RequestRecord, 'seq'>): RequestRecord {
    const noted: RequestRecord = { ...record, seq: this.#nextSeq };
    this.#nextSeq += 1;
    this.requests.push(noted);
    if (this.requests.length > REQUESTS_KEPT) this.requests.shift();
    return noted;
  }

  /**
   * Writes a request to the world's log on disk, in append-only form: the log outgrows the
   * state.
   */
  finishRequest(record: RequestRecord): void {
    appendFileSync(this.#requestsPath, `${JSON.stringify(record)}\n`, { mode: 0o600 });
  }

  /** Saves the world, atomically. Resolves once everything up to this call is on disk. */
  save(): Promise<void> {
    // Saves that wait for a running one share the next: the later snapshot holds them all.
    const next = (): Promise<void> => {
      this.#queued = undefined;
      this.#writing = this.#write();
      return this.#writing;
    };
    // After a failed save the next one tries again: its own caller hears of its own outcome.
    this.#queued ??= this.#writing.then(next, next);
    return this.#queued;
  }

  /** Empties the world: state, faults, requests and clock. Credentials stay good. */
  async reset(): Promise<void> {
    this.#file = empty(this.name);
    this.#faults = new FaultPlan(this.#file.faults);
    this.#clock.reset();
    this.requests.length = 0;
    this.#nextSeq = 1;
    rmSync(this.#requestsPath, { force: true });
    await this.save();
  }

  async #write(): Promise<void> {
    this.#file.aheadMs = this.#clock.aheadMs;
    const text = JSON.stringify(this.#file);
    if (text === this.#saved) return;
    await writeFile(`${this.#path}.new`, text, { mode: 0o600 });
    await rename(`${this.#path}.new`, this.#path);
    this.#saved = text;
    this.#revision += 1;
  }
}

/** The worlds of one data folder, side by side. */
export class Worlds {
  readonly #dir: string;
  readonly #open = new Map<string, World>();

  constructor(dataDir: string) {
    this.#dir = join(dataDir, 'worlds');
    mkdirSync(this.#dir, { recursive: true, mode: 0o700 });
    for (const file of readdirSync(this.#dir)) {
      if (!file.endsWith('.json')) continue;
      const name = file.slice(0, -'.json'.length);
      if (WORLD_NAME.test(name)) this.get(name);
    }
  }

  /**
   * The world of that name, empty if it is new. @throws RangeError for a name no world can
   * have.
   */
  get(name: string): World {
    if (!WORLD_NAME.test(name)) throw new RangeError(`no world can be named '${name}'`);
    const held = this.#open.get(name);
    if (held !== undefined) return held;
    const world = new World(this.#dir, name);
    this.#open.set(name, world);
    return world;
  }

  /** Every world that this folder holds. */
  all(): readonly World[] {
    return [...this.#open.values()];
  }

  /** Saves every world: before the process ends on request. */
  async saveAll(): Promise<void> {
    await Promise.all(this.all().map((world) => world.save()));
  }
}

function readWorldFile(path: string): WorldFile {
  const file = JSON.parse(readFileSync(path, 'utf8')) as WorldFile;
  if (file.format !== (1 as number)) {
    throw new Error(`${path} was written by another version: move it away and start again`);
  }
  return file;
}

/**
 * The log's lines; a last line cut short by a kill belongs to a request that was never
 * answered.
 */
function readRequests(path: string): RequestRecord[] {
  if (!existsSync(path)) return [];
  const records: RequestRecord[] = [];
  for (const line of readFileSync(path, 'utf8').split('\n').slice(-REQUESTS_KEPT)) {
    if (!line.endsWith('}')) continue;
    try {
      records.push(JSON.parse(line) as RequestRecord);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
  return records;
}

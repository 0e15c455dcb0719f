import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { reasonOf, UnreachableError } from '../config/errors.js';
import { readPrivateFile, writePrivateFile } from '../config/private-files.js';
import { signalGroup } from './process-group.js';
import { runCommand } from './run-command.js';

/** A child as the pid file names it. The start mark tells it from a later process with the same id. */
export interface RecordedChild {
  readonly name: string;
  readonly pid: number;
  readonly startMark: string;
}

const END_TIMEOUT_MS = 10_000;

/** The children of one supervisor, written to the data folder as they come and go. */
export class PidFile {
  readonly #file: string;
  readonly #children = new Map<string, RecordedChild>();

  constructor(dataDir: string) {
    this.#file = path.join(dataDir, 'children.json');
  }

  /** Ends whatever an earlier supervisor of this folder left running. Returns the names. @throws UnreachableError */
  async endLeftovers(): Promise<string[]> {
    const left: RecordedChild[] = [];
    for (const child of readRecorded(this.#file)) {
      if ((await startMark(child.pid)) === child.startMark) left.push(child);
    }
    for (const { pid } of left) signalGroup(pid, 'SIGKILL');
    const deadline = performance.now() + END_TIMEOUT_MS;
    for (const { name, pid, startMark: mark } of left) {
      while ((await startMark(pid)) === mark) {
        if (performance.now() > deadline) throw undying(name, pid);
        await pause(20);
      }
    }
    this.#write();
    return left.map(({ name }) => name);
  }

  /** Records a child that was started just now. */
  async add(name: string, pid: number): Promise<void> {
    const mark = await startMark(pid);
    if (mark === undefined) return;
    this.#children.set(name, { name, pid, startMark: mark });
    this.#write();
  }

  remove(name: string): void {
    if (this.#children.delete(name)) this.#write();
  }

  #write(): void {
    writePrivateFile(this.#file, `${JSON.stringify([...this.#children.values()])}\n`);
  }
}

function undying(name: string, pid: number): UnreachableError {
  return new UnreachableError({
    what: `the process ${pid} (${name}) of an earlier stack can't be ended`,
    remedy: 'End it by hand, then start again',
  });
}

function readRecorded(file: string): RecordedChild[] {
  try {
    const value: unknown = JSON.parse(readPrivateFile(file) ?? '[]');
    return Array.isArray(value) ? value.filter(isRecorded) : [];
  } catch (error) {
    throw new UnreachableError({
      what: `the list of child processes can't be read (${reasonOf(error)})`,
      where: file,
      remedy: 'End leftover temporal, postgres and node processes of this folder, then delete it',
    });
  }
}

function isRecorded(value: unknown): value is RecordedChild {
  return (
    typeof value === 'object' &&
    value !== null &&
    'name' in value &&
    typeof value.name === 'string' &&
    'pid' in value &&
    Number.isInteger(value.pid) &&
    Number(value.pid) > 1 &&
    'startMark' in value &&
    typeof value.startMark === 'string'
  );
}

/** When a living process started, in the system's own words; `undefined` when there is none (zombies included). */
async function startMark(pid: number): Promise<string | undefined> {
  if (process.platform !== 'linux') {
    const env = { PATH: '/bin:/usr/bin', LC_ALL: 'C' };
    const { code, output } = await runCommand('ps', ['-o', 'lstart=', '-p', String(pid)], {
      env,
      timeoutMs: 5_000,
    });
    return code === 0 && output.trim() !== '' ? output.trim() : undefined;
  }
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command name, in parentheses, may itself hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, started] = [fields[0], fields[19]];
    return state === 'Z' || started === undefined ? undefined : `${boot}/${started}`;
  } catch {
    return undefined;
  }
}

import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';

/** 10 MiB, and as much again in the file before it. */
export const LOG_BYTES_MAX = 10 * 1024 ** 2;

/** What one child prints, in a 0600 file of bounded size: a full one becomes FILE.1 in place of the one before. */
export class BoundedLog {
  readonly #file: string;
  readonly #bytesMax: number;
  /** Undefined once closed: a pipe may still deliver what its process said last. */
  #handle: number | undefined;
  #bytes: number;

  constructor(file: string, bytesMax = LOG_BYTES_MAX) {
    this.#file = file;
    this.#bytesMax = bytesMax;
    this.#handle = openSync(file, 'a', 0o600);
    this.#bytes = fstatSync(this.#handle).size;
  }

  /** Written at once: the last words of a process that dies matter most. */
  write(chunk: Buffer): void {
    if (this.#handle === undefined) return;
    const isFull = this.#bytes > 0 && this.#bytes + chunk.length > this.#bytesMax;
    const handle = isFull ? this.#turnOver(this.#handle) : this.#handle;
    writeSync(handle, chunk);
    this.#bytes += chunk.length;
  }

  close(): void {
    if (this.#handle !== undefined) closeSync(this.#handle);
    this.#handle = undefined;
  }

  #turnOver(full: number): number {
    closeSync(full);
    renameSync(this.#file, `${this.#file}.1`);
    this.#handle = openSync(this.#file, 'a', 0o600);
    this.#bytes = 0;
    return this.#handle;
  }
}

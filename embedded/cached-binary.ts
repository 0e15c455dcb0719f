import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { errorCode } from '../config/errors.js';

/** What is written beside a cached program when it is taken into the cache. */
interface Receipt {
  readonly sha256: string;
  readonly size: number;
  /** The inode's change time, ms: nobody can set it back, so an equal one means an unchanged file. */
  readonly changedMs: number;
  readonly source: string;
}

export type CacheVerdict =
  | { readonly kind: 'good'; readonly sha256: string; readonly recorded: boolean }
  | { readonly kind: 'absent' }
  | { readonly kind: 'bad'; readonly why: string };

/** SHA-256 of a file, lower-case hex. */
export async function sha256OfFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** Compares a cached program with its receipt; `recorded: false` when there was none and one was written now. */
export async function checkCached(file: string): Promise<CacheVerdict> {
  const found = await statOf(file);
  if (found === undefined) return { kind: 'absent' };
  const receipt = await readReceipt(file);
  if (receipt === 'unreadable') return { kind: 'bad', why: `${receiptFile(file)} is damaged` };
  if (receipt === undefined) {
    return {
      kind: 'good',
      sha256: await writeReceipt(file, 'found in the cache'),
      recorded: false,
    };
  }
  // Reading 250 MB costs a second of start-up, so an untouched inode is believed.
  if (found.size === receipt.size && found.ctimeMs === receipt.changedMs) {
    return { kind: 'good', sha256: receipt.sha256, recorded: true };
  }
  const sha256 = await sha256OfFile(file);
  if (sha256 !== receipt.sha256) {
    return { kind: 'bad', why: `its SHA-256 is ${sha256}, but ${receipt.sha256} was recorded` };
  }
  await writeReceipt(file, receipt.source);
  return { kind: 'good', sha256, recorded: true };
}

/** Moves a finished program into the cache, executable, with its receipt. Returns its SHA-256. */
export async function takeIntoCache(from: string, file: string, source: string): Promise<string> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  await chmod(from, 0o755);
  await rm(receiptFile(file), { force: true });
  await rename(from, file);
  return writeReceipt(file, source);
}

function receiptFile(file: string): string {
  return `${file}.receipt.json`;
}

async function writeReceipt(file: string, source: string): Promise<string> {
  const sha256 = await sha256OfFile(file);
  const { size, ctimeMs } = await stat(file);
  const receipt: Receipt = { sha256, size, changedMs: ctimeMs, source };
  const aside = `${receiptFile(file)}.${process.pid}`;
  await writeFile(aside, `${JSON.stringify(receipt)}\n`, { mode: 0o600 });
  await rename(aside, receiptFile(file));
  return sha256;
}

async function readReceipt(file: string): Promise<Receipt | 'unreadable' | undefined> {
  let text: string;
  try {
    text = await readFile(receiptFile(file), 'utf8');
  } catch (error) {
    return errorCode(error) === 'ENOENT' ? undefined : 'unreadable';
  }
  try {
    const value: unknown = JSON.parse(text);
    return isReceipt(value) ? value : 'unreadable';
  } catch {
    return 'unreadable';
  }
}

function isReceipt(value: unknown): value is Receipt {
  return (
    typeof value === 'object' &&
    value !== null &&
    'sha256' in value &&
    typeof value.sha256 === 'string' &&
    'size' in value &&
    typeof value.size === 'number' &&
    'changedMs' in value &&
    typeof value.changedMs === 'number' &&
    'source' in value &&
    typeof value.source === 'string'
  );
}

async function statOf(file: string): Promise<{ size: number; ctimeMs: number } | undefined> {
  try {
    return await stat(file);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

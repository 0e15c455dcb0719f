import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  type Dirent,
} from 'node:fs';
import path from 'node:path';
import {
  BUNDLE_BYTES_MAX,
  BUNDLE_ENTRY,
  BUNDLE_FILE_BYTES_MAX,
  BUNDLE_FILES_MAX,
  BUNDLE_PUBLIC,
  bundlePathProblem,
  bundleProblems,
  credentialIn,
  manifestDigestOf,
  manifestOf,
} from '../domain/bundle.js';
import { canonicalize, sha256Hex } from '../domain/canonical.js';
import type { Digest } from '../domain/ids.js';
import { quoteWord } from '../domain/untrusted.js';
import { FileRefused } from './errors.js';
import { workerProblem } from './worker-syntax.js';

export interface PackedFile {
  /** Relative, with `/` between parts. */
  readonly path: string;
  readonly sha256: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A site folder as a content-addressed bundle. */
export interface PackedSite {
  readonly digest: Digest;
  /** Canonical JSON; `digest` is its digest. */
  readonly manifest: string;
  readonly files: readonly PackedFile[];
}

/**
 * Packs a site folder on the caller's machine: worker.mjs and what lies in public/. Regular files only; nothing that
 * looks like a credential; the Worker is parsed, never imported. @throws FileRefused naming file and remedy
 */
export function packSite(folder: string): PackedSite {
  const files = readFolder(folder);
  const entries = files.map(({ path: name, sha256, bytes }) => ({
    path: name,
    sha256,
    size: bytes.byteLength,
  }));
  const [problem] = bundleProblems(entries);
  if (problem !== undefined) throw new FileRefused(folder, problem, 'Nothing was packed');
  for (const file of files) checkContent(folder, file);
  const manifest = manifestOf(entries);
  return {
    digest: manifestDigestOf(manifest),
    manifest: canonicalize(manifest),
    files: files.toSorted((one, other) => (one.path < other.path ? -1 : 1)),
  };
}

function checkContent(folder: string, { path: name, bytes }: PackedFile): void {
  const credential = credentialIn(Buffer.from(bytes).toString('latin1'));
  if (credential !== undefined)
    throw new FileRefused(
      path.join(folder, name),
      `it seems to hold ${credential}`,
      'Take it out of the site, and revoke it if it was ever published',
    );
  if (name !== BUNDLE_ENTRY) return;
  const problem = workerProblem(new TextDecoder().decode(bytes));
  if (problem !== undefined)
    throw new FileRefused(path.join(folder, name), `the Worker ${problem}`, 'Correct it');
}

function readFolder(folder: string): PackedFile[] {
  let isFolder: boolean;
  try {
    const stat = lstatSync(folder);
    if (stat.isSymbolicLink())
      throw new FileRefused(folder, 'it is a symbolic link', 'Name the folder itself');
    isFolder = stat.isDirectory();
  } catch (error) {
    if (error instanceof FileRefused) throw error;
    throw new FileRefused(
      folder,
      'there is no such site folder',
      `Name in \`site:\` a folder with ${BUNDLE_ENTRY} and ${BUNDLE_PUBLIC}`,
    );
  }
  if (!isFolder) throw new FileRefused(folder, 'it is not a folder', 'Name the site folder itself');
  const files: PackedFile[] = [];
  const total = { bytes: 0 };
  walk(folder, '', (name) => {
    if (files.length >= BUNDLE_FILES_MAX)
      throw new FileRefused(folder, `it holds more than ${BUNDLE_FILES_MAX} files`, 'Pack fewer');
    const file = readOne(folder, name);
    total.bytes += file.bytes.byteLength;
    if (total.bytes > BUNDLE_BYTES_MAX)
      throw new FileRefused(folder, 'its files are larger than 100 MiB together', 'Pack fewer');
    files.push(file);
  });
  return files;
}

/** Depth first, in the order of names; each entry is judged by its name before anything is opened. */
function walk(folder: string, below: string, onFile: (name: string) => void): void {
  const entries = readdirSync(path.join(folder, below), { withFileTypes: true, encoding: 'utf8' });
  for (const entry of entries.sort((one, other) => (one.name < other.name ? -1 : 1))) {
    const name = below === '' ? entry.name : `${below}/${entry.name}`;
    checkEntry(folder, name, entry);
    if (entry.isDirectory()) walk(folder, name, onFile);
    else onFile(name);
  }
}

function checkEntry(folder: string, name: string, entry: Dirent): void {
  const refuse = (what: string, remedy: string): FileRefused =>
    new FileRefused(folder, `${quoteWord(name)} ${what}`, remedy);
  const problem = bundlePathProblem(name);
  if (problem !== undefined) throw new FileRefused(folder, problem, 'Nothing was packed');
  if (entry.isSymbolicLink()) throw refuse('is a symbolic link', 'Copy the file there instead');
  if (!entry.isDirectory() && !entry.isFile())
    throw refuse('is a device, a pipe or a socket', 'Remove it: only regular files are packed');
  const served = `${name}/`.startsWith(BUNDLE_PUBLIC);
  if (!served && name !== BUNDLE_ENTRY)
    throw refuse(
      `is neither ${BUNDLE_ENTRY} nor in ${BUNDLE_PUBLIC}`,
      'Move it out of the site folder: only these are deployed',
    );
}

/** Opens without following a link and judges what was opened: the entry may have been swapped since it was listed. */
function readOne(folder: string, name: string): PackedFile {
  const full = path.join(folder, name);
  const refuse = (what: string, remedy: string): FileRefused =>
    new FileRefused(folder, `${quoteWord(name)} ${what}`, remedy);
  let fd: number;
  try {
    fd = openSync(full, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    throw refuse('cannot be read', 'Make it a regular file that you may read');
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw refuse('is not a regular file', 'Remove it');
    if (stat.nlink > 1)
      throw refuse('has a second name elsewhere (a hard link)', 'Copy the file there instead');
    if (stat.size > BUNDLE_FILE_BYTES_MAX)
      throw refuse(`is ${stat.size} bytes, more than 25 MiB`, 'Make it smaller');
    const bytes = Uint8Array.from(readFileSync(fd));
    return { path: name, sha256: sha256Hex(bytes), bytes };
  } finally {
    closeSync(fd);
  }
}

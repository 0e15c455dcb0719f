import { digestOf } from './canonical.js';
import type { Digest } from './ids.js';
import { textProblem } from './text.js';
import { quoteWord, wordsProblem } from './untrusted.js';

/** A site as a content-addressed bundle: what may be in it, and the manifest whose digest names it. Pure rules; packing reads the disk elsewhere. */

export const BUNDLE_FILES_MAX = 1_000;
export const BUNDLE_FILE_BYTES_MAX = 25 * 1024 * 1024;
export const BUNDLE_BYTES_MAX = 100 * 1024 * 1024;
/** The module that answers requests. */
export const BUNDLE_ENTRY = 'worker.mjs';
/** Files below it are served as they are. */
export const BUNDLE_PUBLIC = 'public/';

export interface BundleFile {
  /** Relative, with `/` between parts. */
  readonly path: string;
  readonly size: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

export interface BundleManifest {
  readonly type: 'countersign.bundle.v1';
  readonly files: readonly BundleFile[];
}

const PATH_CHARACTERS_MAX = 400;
const RESERVED = /[\\:*?"<>|]/;
const SHA256 = /^[0-9a-f]{64}$/;

/** Names under which credentials usually lie: refused by name, whatever they hold. */
const CREDENTIAL_NAME =
  /^(\.env(\..*)?|\.git|\.npmrc|\.netrc|\.pgpass|\.htpasswd|\.aws|\.ssh|\.docker|\.kube|id_(rsa|dsa|ecdsa|ed25519)|credentials(\.json)?|service[-_]account.*\.json|.*\.(pem|key|p12|pfx|jks|keystore|ppk))$/i;

/** What a credential looks like inside a file, by kind. */
const CREDENTIALS: readonly (readonly [kind: string, pattern: RegExp])[] = [
  ['a private key', /-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----/],
  ['a Stripe secret key', /\b[sr]k_(live|test)_[0-9A-Za-z]{16,}/],
  ['a Stripe webhook secret', /\bwhsec_[0-9A-Za-z+/=]{16,}/],
  ['an AWS access key', /\b(AKIA|ASIA)[0-9A-Z]{16}\b/],
  ['a GitHub token', /\b(gh[pousr]_[0-9A-Za-z]{36,}|github_pat_[0-9A-Za-z_]{40,})/],
  ['a GitLab token', /\bglpat-[0-9A-Za-z_-]{20,}/],
  ['a Slack token', /\bxox[abeoprs]-[0-9A-Za-z-]{10,}/],
  ['a Google API key', /\bAIza[0-9A-Za-z_-]{35}\b/],
  ['an npm token', /\bnpm_[0-9A-Za-z]{36}\b/],
];

/** What keeps a path out of a bundle, or undefined. */
export function bundlePathProblem(path: string): string | undefined {
  const problem = pathProblem(path);
  return problem === undefined ? undefined : `${quoteWord(path)}: ${problem}`;
}

function pathProblem(path: string): string | undefined {
  const unclean =
    textProblem(path, PATH_CHARACTERS_MAX) ??
    wordsProblem(path, { charactersMax: PATH_CHARACTERS_MAX, linesMax: 1 });
  if (path === '' || unclean !== undefined)
    return `the name ${unclean ?? 'is empty'}; rename the file`;
  const parts = path.split('/');
  const credential = parts.find((part) => CREDENTIAL_NAME.test(part));
  if (credential !== undefined)
    return `${quoteWord(credential)} may hold credentials and is never packed; remove it`;
  if (RESERVED.test(path)) return 'the name holds one of \\ : * ? " < > |; rename the file';
  for (const part of parts) {
    if (part === '') return 'the path is absolute or has an empty part';
    if (part.startsWith('.')) return 'no part may start with a dot; rename or remove it';
    if (part !== part.trim() || part.endsWith('.'))
      return 'no part may end with a dot or a space, or start with a space';
  }
  return undefined;
}

/** The kind of credential that a file's text seems to hold, or undefined. Bytes may be given as Latin-1. */
export function credentialIn(text: string): string | undefined {
  return CREDENTIALS.find(([, pattern]) => pattern.test(text))?.[0];
}

/** Two names that some file system or host takes for one. */
function folded(path: string): string {
  return path.normalize('NFC').toUpperCase().toLowerCase();
}

/** So many files with something wrong are named; who has mended them is told of more. */
const PROBLEMS_MAX = 50;

/** What keeps these files from being a bundle, each a sentence that names the file; empty when they are one. */
export function bundleProblems(files: readonly BundleFile[]): string[] {
  // guard: more files than may be are not looked at one by one.
  if (files.length > BUNDLE_FILES_MAX)
    return [`${files.length} files, at most ${BUNDLE_FILES_MAX} are allowed`];
  const problems: string[] = [];
  for (const file of files) {
    if (problems.length >= PROBLEMS_MAX) return problems;
    problems.push(...fileProblems(file));
  }
  // guard: names that are none are not compared with each other.
  if (problems.length > 0) return problems;
  const seen = new Map<string, string>();
  for (const { path } of files) {
    const name = folded(path);
    const twin = seen.get(name);
    if (twin !== undefined)
      problems.push(
        `${quoteWord(path)} and ${quoteWord(twin)} are one name where case does not count; rename one`,
      );
    seen.set(name, path);
  }
  const paths = new Set(files.map(({ path }) => path));
  for (const { path } of files)
    if (ancestorsOf(path).some((ancestor) => paths.has(ancestor)))
      problems.push(`${quoteWord(path)} lies below a file`);
  if (!paths.has(BUNDLE_ENTRY))
    problems.push(`there is no ${BUNDLE_ENTRY}: it is what answers requests`);
  const bytes = bundleBytes(files);
  if (bytes > BUNDLE_BYTES_MAX)
    problems.push(`${bytes} bytes together, at most ${BUNDLE_BYTES_MAX} (100 MiB) are allowed`);
  return problems;
}

function fileProblems({ path, size, sha256 }: BundleFile): string[] {
  const problem = bundlePathProblem(path);
  const problems = problem === undefined ? [] : [problem];
  if (!Number.isSafeInteger(size) || size < 0 || !SHA256.test(sha256))
    problems.push(`${quoteWord(path)}: its size or hash is malformed`);
  else if (size > BUNDLE_FILE_BYTES_MAX)
    problems.push(
      `${quoteWord(path)}: ${size} bytes, at most ${BUNDLE_FILE_BYTES_MAX} (25 MiB) are allowed`,
    );
  if (path === BUNDLE_ENTRY && size === 0) problems.push(`${BUNDLE_ENTRY} is empty`);
  return problems;
}

function ancestorsOf(path: string): string[] {
  const parts = path.split('/');
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'));
}

/** All files together, in bytes. */
export function bundleBytes(files: readonly BundleFile[]): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}

/** The manifest of files that `bundleProblems` has nothing against: sorted by path (code units), nothing else in it. */
export function manifestOf(files: readonly BundleFile[]): BundleManifest {
  return {
    type: 'countersign.bundle.v1',
    files: files
      .map(({ path, size, sha256 }) => ({ path, size, sha256 }))
      .sort((one, other) => (one.path < other.path ? -1 : one.path > other.path ? 1 : 0)),
  };
}

/** Names a site for ever: one changed byte is another bundle, and another action. */
export function manifestDigestOf(manifest: BundleManifest): Digest {
  return digestOf(manifest);
}

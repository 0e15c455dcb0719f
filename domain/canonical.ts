import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import jcs from 'canonicalize';
import { type Digest, isDigest } from './ids.js';
import { invariant } from './errors.js';
import { ProtocolError } from './reasons.js';
import { textProblem } from './text.js';

/** A statement that is signed is at most this long; other documents (requests, policies) pass their own limit. */
export const STATEMENT_BYTES_MAX = 16 * 1024;
const DEPTH_MAX = 8;
const TEXT_CHARACTERS_MAX = 2_000;
const MEMBER_NAME = /^[A-Za-z][A-Za-z0-9_]*$/;
/**
 * A value of more characters than this is no document of ours, which are of 256 KiB at most, a site's manifest of some
 * 600 KB: it is given up while it is walked. Each value weighs more than a short one has characters: a walk takes its time
 * too.
 */
const SIZE_MAX = 2 * 1024 * 1024;
const VALUE_SIZE = 32;
/** A statement of 16 KiB has no more than that many values: what weighs more is none. */
const STATEMENT_SIZE_MAX = STATEMENT_BYTES_MAX * VALUE_SIZE;

/** Where a value leaves the JSON subset of the protocol, and how. */
export interface SubsetProblem {
  /** E.g. `params.records[0].ttl`; empty for the value itself. */
  readonly path: string;
  readonly message: string;
}

/**
 * Says where `value` leaves the protocol's JSON subset: plain objects with ASCII member names, arrays, booleans,
 * safe integers, NFC text of at most 2,000 characters, nested at most 8 deep. Undefined when it fits.
 */
export function checkSubset(value: unknown, sizeMax = SIZE_MAX): SubsetProblem | undefined {
  return check(value, '', { depth: 1, walked: { size: 0, max: sizeMax } });
}

interface Walk {
  readonly depth: number;
  /** Shared by the whole walk. */
  readonly walked: { size: number; readonly max: number };
}

function check(value: unknown, path: string, walk: Walk): SubsetProblem | undefined {
  const { depth, walked } = walk;
  walked.size += VALUE_SIZE + (typeof value === 'string' ? value.length : 0);
  if (walked.size > walked.max)
    return { path: '', message: `larger than ${walked.max} characters` };
  switch (typeof value) {
    case 'boolean':
      return undefined;
    case 'string': {
      const message = textProblem(value, TEXT_CHARACTERS_MAX);
      return message === undefined ? undefined : { path, message };
    }
    case 'number':
      return Number.isSafeInteger(value) && !Object.is(value, -0)
        ? undefined
        : { path, message: 'a number must be a whole number of at most 2^53-1, and not -0' };
    case 'object':
      if (value === null) return { path, message: 'null is not allowed: leave the member out' };
      if (depth > DEPTH_MAX) return { path, message: `nested deeper than ${DEPTH_MAX}` };
      return Array.isArray(value)
        ? checkElements(value, path, walk)
        : checkMembers(value, path, walk);
    case 'undefined':
    case 'bigint':
    case 'symbol':
    case 'function':
      return { path, message: `${typeof value} is no JSON value` };
  }
}

function checkElements(
  array: readonly unknown[],
  path: string,
  { depth, walked }: Walk,
): SubsetProblem | undefined {
  const within = { depth: depth + 1, walked };
  // By index, not by iteration helpers: these skip the holes of a sparse array.
  for (let index = 0; index < array.length; index += 1) {
    const problem = check(array[index], `${path}[${index}]`, within);
    if (problem !== undefined) return problem;
  }
  // guard: a member such as `constructor` would have a say in how the elements are written.
  return Object.keys(array).length === array.length
    ? undefined
    : { path, message: 'an array has a member beside its elements' };
}

function checkMembers(
  object: object,
  path: string,
  { depth, walked }: Walk,
): SubsetProblem | undefined {
  const prototype: unknown = Object.getPrototypeOf(object);
  // A Date or a Map would serialise as something else than it looks. The other realm's Object has no parent either.
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null)
    return { path, message: 'not a plain object' };
  if (Object.getOwnPropertySymbols(object).length > 0)
    return { path, message: 'a member name is a symbol' };
  const within = { depth: depth + 1, walked };
  for (const name of Object.keys(object)) {
    const member: unknown = Reflect.get(object, name);
    walked.size += name.length;
    const at = path === '' ? name : `${path}.${name}`;
    if (!MEMBER_NAME.test(name))
      return { path, message: `member name ${JSON.stringify(name.slice(0, 80))} is not allowed` };
    const problem = check(member, at, within);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** The canonical form (RFC 8785) of a value of the subset. @throws ProtocolError malformed */
export function canonicalize(value: unknown, sizeMax = SIZE_MAX): string {
  const problem = checkSubset(value, sizeMax);
  if (problem !== undefined)
    throw new ProtocolError('malformed', `${problem.path || 'value'}: ${problem.message}`);
  const text = jcs(value);
  invariant(text !== undefined, 'a value of the subset has a canonical form');
  return text;
}

/** The canonical form of a value that should be a statement, given up sooner. @throws ProtocolError malformed */
export function canonicalStatement(value: unknown): string {
  return canonicalize(value, STATEMENT_SIZE_MAX);
}

/** The canonical form as UTF-8: the bytes that are hashed and signed. @throws ProtocolError malformed */
export function canonicalBytes(value: unknown): Uint8Array<ArrayBuffer> {
  return utf8(canonicalize(value));
}

/** `sha256:` and hex of SHA-256 over the canonical form. @throws ProtocolError malformed */
export function digestOf(value: unknown): Digest {
  return digestOfBytes(canonicalBytes(value));
}

/** `sha256:` and hex of SHA-256 over raw bytes, such as a stored document or a file. */
export function digestOfBytes(bytes: Uint8Array): Digest {
  const digest = `sha256:${sha256Hex(bytes)}`;
  invariant(isDigest(digest), 'SHA-256 has 64 hex digits');
  return digest;
}

/** SHA-256 in lower-case hex. */
export function sha256Hex(bytes: Uint8Array): string {
  return bytesToHex(sha256(bytes));
}

export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/**
 * Parses received bytes strictly: UTF-8, at most `maxBytes`, within the subset, and already in canonical form,
 * so that no two parsers can read them differently. @throws ProtocolError too-large, malformed, not-canonical
 */
export function parseCanonical(
  received: Uint8Array | string,
  maxBytes: number = STATEMENT_BYTES_MAX,
): unknown {
  // A string is measured before it is encoded: it has at least as many bytes as UTF-16 units.
  if (received.length > maxBytes) throw tooLarge(maxBytes);
  const text = typeof received === 'string' ? received : decodeUtf8(received);
  if (typeof received === 'string' && utf8(received).length > maxBytes) throw tooLarge(maxBytes);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ProtocolError('malformed', 'not JSON');
  }
  // Shuts out duplicate members, other spellings of numbers and text, white space and member order at once.
  if (canonicalize(value) !== text)
    throw new ProtocolError('not-canonical', 'not in canonical form (RFC 8785)');
  return value;
}

function tooLarge(maxBytes: number): ProtocolError {
  return new ProtocolError('too-large', `more than ${maxBytes} bytes`);
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new ProtocolError('malformed', 'not UTF-8');
  }
}

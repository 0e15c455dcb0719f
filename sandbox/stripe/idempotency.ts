import { createHash } from 'node:crypto';
import type { World } from '../core/world.js';
import { choice } from './choices.js';
import { StripeProblem, invalid } from './problem.js';
import { stripeState } from './state.js';
import type { StoredAnswer } from './state.js';

const HOUR_MS = 3_600_000;
const KEY_LIMIT_CHARS = 255;

/** Which keys are being executed. In memory: after a restart nothing is. */
const running = new WeakMap<World, Map<string, string>>();

function runningIn(world: World): Map<string, string> {
  const held = running.get(world) ?? new Map<string, string>();
  running.set(world, held);
  return held;
}

/** One request as the store compares it. */
export interface KeyedRequest {
  readonly key: string;
  readonly method: string;
  readonly path: string;
  readonly paramsHash: string;
}

/** A hash over parameters that does not depend on their order. */
export function hashParams(params: unknown): string {
  const ordered = (value: unknown): unknown =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(
          Object.entries(value)
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([name, inner]) => [name, ordered(inner)]),
        )
      : Array.isArray(value)
        ? value.map(ordered)
        : value;
  return createHash('sha256')
    .update(JSON.stringify(ordered(params)))
    .digest('hex');
}

function mismatch(request: KeyedRequest, first: Omit<KeyedRequest, 'key'>): void {
  const fail = (message: string): never => {
    throw new StripeProblem(400, message, { type: 'idempotency_error' });
  };
  if (first.method !== request.method || first.path !== request.path) {
    fail(
      `Keys for idempotent requests can only be used for the same endpoint they were first ` +
        `used for ` +
        `('${first.path}' vs '${request.path}'). Try using a key other than '${request.key}' ` +
        `if you ` +
        `meant to execute a different request.`,
    );
  }
  if (first.paramsHash !== request.paramsHash) {
    fail(
      `Keys for idempotent requests can only be used with the same parameters they were first ` +
        `used ` +
        `with. Try using a key other than '${request.key}' if you meant to execute a ` +
        `different request.`,
    );
  }
}

/**
 * Takes a key for a request. Returns what was stored under it, or undefined if the request is now
 * the one that executes; then `release` must follow. @throws StripeProblem 400 on other
 * parameters, 409 while another request holds the key.
 */
export function take(world: World, request: KeyedRequest): StoredAnswer | undefined {
  if (request.key.length > KEY_LIMIT_CHARS) {
    throw invalid(`Idempotency keys are at most ${KEY_LIMIT_CHARS} characters long.`);
  }
  const state = stripeState(world);
  const { answers } = state;
  const keptMs = Number(choice(state, 'keys-kept-hours')) * HOUR_MS;
  for (const [key, { createdAt }] of Object.entries(answers)) {
    if (world.now() - createdAt > keptMs) Reflect.deleteProperty(answers, key);
  }
  const stored = Object.hasOwn(answers, request.key) ? answers[request.key] : undefined;
  if (stored !== undefined) {
    mismatch(request, stored);
    return stored;
  }
  if (runningIn(world).has(request.key)) {
    throw new StripeProblem(
      409,
      `There is currently another in-progress request using this Idempotent Key (that ` +
        `probably means ` +
        `you submitted twice, and the other request is still going through): ${request.key}. ` +
        `Please try again later.`,
      { type: 'idempotency_error', code: 'idempotency_key_in_use' },
    );
  }
  runningIn(world).set(request.key, request.paramsHash);
  return undefined;
}

/** Lets go of a key; an answer that counts as executed is stored under it. */
export function release(world: World, request: KeyedRequest, answer?: StoredAnswer): void {
  runningIn(world).delete(request.key);
  if (answer !== undefined) stripeState(world).answers[request.key] = answer;
}

/**
 * Whether an answer is kept: a result of an execution that began. Refused parameters (400, 401,
 * 403, 404), conflicts (409), limits (429) and what the stand-in does not do (501) come before it.
 */
export function isKept(status: number): boolean {
  return status === 200 || status === 402 || status === 500;
}

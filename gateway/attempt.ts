import { Failure } from '../domain/errors.js';
import { idempotencyKeyOf } from '../domain/ids.js';
import type { Sender } from './contract.js';
import type { Mark } from './deadline.js';
import type { SettleAsk, Settled } from './door-contract.js';
import { contextOf, providerFailure } from './effect.js';
import type { Effect } from './effect.js';
import { type Leave, leaveSince } from './leave.js';
import { look } from './look.js';
import type { LookAhead } from './look.js';
import type { Classified, Found, SiteFile } from './operation.js';
import type { Parts } from './parts.js';
import { detailsOf } from './reading.js';
import type { Transmission } from './send-once.js';
import { refusedToken } from './tokens.js';
import type { HeldToken } from './tokens.js';

/** What the door granted: this attempt may send until its time is up. */
export interface Granted {
  readonly attempt: number;
  readonly epoch: number;
  readonly remainingMs: number;
}

type Sent = Found | { readonly kind: 'pending'; readonly waitMs: number; readonly why: string };

/**
 * One attempt under a grant of the door: looks at the world once more, sends, and settles what the answer proves.
 * The deadline runs from the mark, which was taken before the door was asked.
 * @throws the failure that the provider's answer proves; GRANT_VOID when the world no longer fits the approval
 */
export async function attempt(
  parts: Parts,
  effect: Effect,
  granted: Granted,
  of: {
    readonly before: Mark;
    /** Minted for it, where the operation needs one. */
    readonly token?: HeldToken | undefined;
    readonly sender: Sender;
    /** Begun while the door was asked; absent: the look is taken now. */
    readonly ahead?: LookAhead | undefined;
    bundle(digest: string): Promise<readonly SiteFile[]>;
  },
): Promise<Settled> {
  const { failpoint } = of.sender;
  const transmission: Transmission = { begun: 0, changes: new Set() };
  const key = idempotencyKeyOf(effect.effectId, granted.epoch);
  const deadline = of.before.deadlineAfter(granted.remainingMs);
  const leave = leaveSince(of.before, parts.clocks, () =>
    parts.door.still(effect.effectId, granted.attempt),
  );
  const bundle = (digest: string): Promise<readonly SiteFile[]> => of.bundle(digest);
  const settle = (result: Omit<SettleAsk, 'effectId' | 'attempt'>): Promise<Settled> => {
    failpoint?.('before-settle');
    return parts.door.settle({
      effectId: effect.effectId,
      attempt: granted.attempt,
      ...result,
    });
  };
  try {
    // Within the same few seconds as the send: the world still has to fit what was approved.
    await mayStillSend(effect, of.sender, leave);
    const seen = await of.ahead?.holds();
    if (seen !== true) await look(parts, effect, { sender: of.sender, bundle });
  } catch (error) {
    await settle({ outcome: 'unstored-refusal', evidence: { sent: false, ...reasonOf(error) } });
    throw checked(effect, error);
  }
  const clients = parts.providers.forSending('actions', {
    deadline,
    transmission,
    leave,
    token: of.token?.value,
  });
  failpoint?.('before-send');
  let sent: Sent;
  try {
    sent = await effect.operation.send(contextOf(effect, clients, { key, bundle }), effect.params);
  } catch (error) {
    const classified = proven(effect, error, transmission);
    await settle({
      outcome: classified.proof,
      evidence: { code: classified.code, sent: transmission.begun > 0, ...detailsOf(classified) },
    });
    if (error instanceof Failure && transmission.begun === 0) throw error;
    throw providerFailure(effect, await tokenRefused(parts, of.token, classified));
  }
  failpoint?.('after-send');
  if ('kind' in sent) {
    await settle({ outcome: 'unknown', evidence: { pending: true } });
    throw new Failure('OUTCOME_UNKNOWN', `${effect.step}: ${sent.why}`, {}, sent.waitMs);
  }
  const settled = await settle({
    outcome: 'succeeded',
    object: sent.object,
    fields: sent.fields,
    capturedMinor: sent.capturedMinor,
    evidence: { sent: true, requests: transmission.begun },
  });
  failpoint?.('after-settle');
  return settled;
}

/** @throws PROVIDER_UNAVAILABLE when the sender was cancelled, or stopped while it slept */
async function mayStillSend(effect: Effect, sender: Sender, leave: Leave): Promise<void> {
  const no = (why: string): Failure =>
    new Failure('PROVIDER_UNAVAILABLE', `${effect.step}: ${why} before anything was sent`);
  if (sender.signal.aborted) throw no('cancelled');
  if (leave.isStale() && !(await leave.renewed())) throw no('stopped');
}

/** A minted token that is refused is used no more; the next attempt has a new one, unless this one was new. */
async function tokenRefused(
  parts: Parts,
  token: HeldToken | undefined,
  classified: Classified,
): Promise<Classified> {
  if (token === undefined || classified.code !== 'PROVIDER_AUTH') return classified;
  await refusedToken(parts, token);
  return token.fresh ? classified : { ...classified, code: 'PROVIDER_UNAVAILABLE' };
}

/**
 * What an error of the send proves. Whatever the SDK says: if not one byte of a request was handed to the kernel,
 * surely nothing was done.
 */
function proven(effect: Effect, error: unknown, transmission: Transmission): Classified {
  const classified = effect.operation.classify(error);
  if (transmission.begun > 0)
    return error instanceof Failure
      ? { proof: 'unknown', code: 'OUTCOME_UNKNOWN', message: error.message }
      : classified;
  return {
    ...classified,
    proof: 'unstored-refusal',
    code: 'PROVIDER_UNAVAILABLE',
    message: 'the request was not sent',
  };
}

/** A check's own failure as it is; an error of its reads as something that may be tried again. */
function checked(effect: Effect, error: unknown): Failure {
  if (error instanceof Failure) return error;
  const classified = effect.operation.classify(error);
  return providerFailure(effect, {
    ...classified,
    code: classified.code === 'PROVIDER_AUTH' ? 'PROVIDER_AUTH' : 'PROVIDER_UNAVAILABLE',
    message: `could not look before sending: ${classified.message}`,
  });
}

const reasonOf = (error: unknown): Record<string, string> => ({
  code: error instanceof Failure ? error.code : 'PROVIDER_UNAVAILABLE',
});

import type { SignatureVerdict } from '../domain/check-signature.js';
import type { AssertionFacts } from '../domain/webauthn.js';
import type { Executor } from '../store/connect.js';
import { advanceCounter } from '../store/keys.js';

/**
 * Advances the counter of the passkey that signed, in the transaction that accepts what it signed: the one time that it
 * is looked at. `webauthn-counter` when another statement was accepted with it meanwhile.
 */
export async function spendCounter(
  tx: Executor,
  signed: SignatureVerdict & { readonly good: true },
): Promise<'webauthn-counter' | undefined> {
  return spendCounterOf(tx, signed.key.keyId, signed.assertion);
}

/** The same, of an assertion whose key is named. */
export async function spendCounterOf(
  tx: Executor,
  keyId: string,
  assertion: AssertionFacts | undefined,
): Promise<'webauthn-counter' | undefined> {
  if (assertion === undefined) return undefined;
  const { backedUp, counter } = assertion;
  return (await advanceCounter(tx, { keyId, counter, backedUp })) ? undefined : 'webauthn-counter';
}

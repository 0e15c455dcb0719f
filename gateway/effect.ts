import type { ActionDocument } from '../domain/documents.js';
import { Failure, invariant } from '../domain/errors.js';
import { idempotencyKeyOf } from '../domain/ids.js';
import type { Digest, EffectId } from '../domain/ids.js';
import type { EffectStep, ProviderName } from '../domain/steps.js';
import type {
  Classified,
  Clients,
  Operation,
  OperationContext,
  ReadBack,
  Reversal,
  SiteFile,
} from './operation.js';
import { mayBeOurs } from './ownership.js';
import type { Parts } from './parts.js';
import { reading } from './reading.js';
import type { Role } from './providers.js';

type AnyOperation = Operation;
type AnyReversal = Reversal;

/** One effect with everything it needs to be sent, read back or reversed: all of it from the stored action. */
export interface Effect {
  readonly step: EffectStep;
  readonly effectId: EffectId;
  readonly document: ActionDocument;
  readonly digest: Digest;
  readonly provider: ProviderName;
  readonly account: string;
  readonly params: unknown;
  readonly operation: AnyOperation;
  readonly reversal: AnyReversal;
  /** How a later run tears it down. */
  readonly teardown: AnyReversal;
}

/** Finds the operation that the action names and lets it check the resolved parameters. */
export function effectOf(
  parts: Parts,
  action: { document: ActionDocument; digest: Digest; effectId: EffectId },
  resolved: { account: string; params: unknown },
): Effect {
  const { document } = action;
  const found = parts.effects.get(document.operation);
  invariant(found, `no operation is called ${document.operation}`);
  // The table holds operations of differing parameter types; each checks its own right here.
  const operation = found.operation as unknown as AnyOperation;
  const reversal = found.reversal as unknown as AnyReversal;
  const teardown = (found.teardown ?? found.reversal) as unknown as AnyReversal;
  invariant(
    operation.provider === document.provider,
    `${document.operation} is another provider's`,
  );
  return {
    ...action,
    step: document.step,
    provider: document.provider,
    account: resolved.account,
    params: operation.params.parse(resolved.params),
    operation,
    reversal,
    teardown,
  };
}

/** What an operation is handed for one call. */
export function contextOf(
  effect: Effect,
  clients: Clients,
  of: { readonly key: string; bundle(digest: string): Promise<readonly SiteFile[]> },
): OperationContext {
  return {
    // Asked for by those that use it: what sends nothing needs no credential.
    get client() {
      return clients[effect.provider];
    },
    account: effect.account,
    marker: effect.effectId,
    key: of.key,
    bundle: (digest) => of.bundle(digest),
    costMaxMinor: effect.document.costMaxMinor,
  };
}

/**
 * Asks the provider whether the effect is there, by get or list. What bears the name and cannot be ours is not it.
 * @throws PROVIDER_AUTH, PROVIDER_REFUSED, PROVIDER_UNAVAILABLE
 */
export async function readBack(
  parts: Parts,
  effect: Effect,
  by: {
    readonly role: Role;
    readonly signal?: AbortSignal;
    bundle(digest: string): Promise<readonly SiteFile[]>;
  },
): Promise<ReadBack> {
  const clients = parts.providers.forReading(by.role, by.signal);
  const ctx = contextOf(effect, clients, {
    key: idempotencyKeyOf(effect.effectId, 0),
    bundle: (digest) => by.bundle(digest),
  });
  const seen = await reading(effect.provider, effect.step, effect.operation.classify, () =>
    effect.operation.find(ctx, effect.params),
  );
  if (seen.kind !== 'found' || (await mayBeOurs(parts, effect, seen))) return seen;
  return { kind: 'absent' };
}

/** A provider's error in our words: code, status and request id, and nothing of its body. */
export function providerFailure(
  effect: Effect,
  classified: Classified,
  retryAfterMs?: number,
  operation: string = effect.document.operation,
): Failure {
  return new Failure(
    classified.code,
    `${effect.provider}: ${operation}: ${classified.message}`,
    {
      step: effect.step,
      ...(classified.status === undefined ? {} : { status: classified.status }),
      ...(classified.providerCode === undefined ? {} : { providerCode: classified.providerCode }),
      ...(classified.requestId === undefined ? {} : { requestId: classified.requestId }),
    },
    retryAfterMs,
  );
}

import type Cloudflare from 'cloudflare';
import type { TokenNeed } from './cloudflare/tokens.js';
import type Stripe from 'stripe';
import type { ProviderName } from '../domain/steps.js';
import type { z } from 'zod';

/** What one effect made, as the provider says. `fields` are what later steps may refer to. */
export interface Found {
  readonly object: string;
  /** What the provider really charged, in minor units; 0 for what is free. */
  readonly capturedMinor: number;
  readonly fields: Readonly<Record<string, string>>;
  /** When it came to be, by the provider's clock, where it says so: looked at for what bears no marker. */
  readonly madeAt?: Date;
}

/** Read-back: there, surely not visible now, or a state that is not final yet (poll again). */
export type ReadBack =
  | ({
      readonly kind: 'found';
      /** Further objects that bear the same marker: doubles, which the sweep reports with a proposed refund. */
      readonly others?: readonly Found[];
    } & Found)
  | { readonly kind: 'absent' }
  | { readonly kind: 'pending'; readonly waitMs: number; readonly why: string };

/**
 * What an error of the SDK proves (EFFECTS.md section 2). `stored-final`: the provider keeps it under the key (402).
 * `unstored-refusal`: 400, 401, 403, 409, 429, and what surely never left (refused connection).
 * `stored-500`: a replayed 500. `unknown`: anything else.
 */
export interface Classified {
  readonly proof: 'stored-final' | 'unstored-refusal' | 'stored-500' | 'unknown';
  readonly code:
    | 'PROVIDER_REFUSED'
    | 'PROVIDER_DECLINED'
    | 'PROVIDER_CONFLICT'
    | 'PROVIDER_AUTH'
    | 'PROVIDER_UNAVAILABLE'
    | 'OUTCOME_UNKNOWN';
  /** Our words; never the provider's body. */
  readonly message: string;
  readonly status?: number;
  readonly providerCode?: string;
  readonly requestId?: string;
}

export interface Clients {
  readonly stripe: Stripe;
  readonly cloudflare: Cloudflare;
}

export interface SiteFile {
  readonly path: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly sha256: string;
}

export interface OperationContext<P extends ProviderName = ProviderName> {
  readonly client: Clients[P];
  /** The provider account of the action, resolved. */
  readonly account: string;
  /** The effect id: goes into metadata, comment or tag, and is what `find` looks for (any epoch). */
  readonly marker: string;
  /** Idempotency key of this epoch. */
  readonly key: string;
  /** Files of a stored site bundle. */
  bundle(digest: string): Promise<readonly SiteFile[]>;
  /** The approved ceiling, in minor units. */
  readonly costMaxMinor: number;
}

/** One kind of forward effect. `send` makes exactly one mutating request that counts; everything else reads. */
export interface Operation<P extends ProviderName = ProviderName, In = unknown> {
  readonly name: string;
  readonly provider: P;
  /** Does the provider keep idempotency keys for this call? */
  readonly keyed: boolean;
  /**
   * How `find` knows again what was made: by our marker; by its name alone, which anybody may take, so that what is
   * found need not be ours; or nothing is made at all.
   */
  readonly knownBy: 'marker' | 'name' | 'nothing';
  readonly params: z.ZodType<In>;
  /** The token that `send` needs, minted for it. Absent: it has a credential of its own, or sends nothing. */
  readonly token?: (params: In) => TokenNeed;
  /** Right before the send, within 10 s of it: does the world still fit what was approved? Throws Failure GRANT_VOID, PROVIDER_REFUSED or NEEDS_INPUT. */
  readonly check?: (ctx: OperationContext<P>, params: In) => Promise<void>;
  /** Its check counts only after the door's word: of what the door itself has written for it. */
  readonly looksBehindDoor?: true;
  readonly send: (
    ctx: OperationContext<P>,
    params: In,
  ) => Promise<Found | { readonly kind: 'pending'; readonly waitMs: number; readonly why: string }>;
  readonly find: (ctx: OperationContext<P>, params: In) => Promise<ReadBack>;
  /** Fields that appear only later (a zone after its domain): read when a later step refers to one. */
  readonly fields?: (
    ctx: OperationContext<P>,
    params: In,
    names: readonly string[],
  ) => Promise<Readonly<Record<string, string>>>;
  readonly classify: (error: unknown) => Classified;
}

/** What undoing a forward effect left. */
export interface Undone {
  /** Given back, in minor units, as read back. */
  readonly refundedMinor: number;
  readonly residue: { readonly minor: number; readonly text: string };
  /** What a person has to see to, as it turned out: opens a case. */
  readonly caseText?: string;
}

/** The reversal of one kind of forward effect: object, account and amount come from its settled row, never from an input. */
export interface Reversal<P extends ProviderName = ProviderName, In = unknown> {
  readonly name: string;
  readonly provider: P;
  /** The token that `reverse` needs, minted for it; a stop does not revoke it. */
  readonly token?: (params: In) => TokenNeed;
  /** Looks again: used by others since? Throws Failure USED_BY_OTHERS. Reads only. */
  readonly inspect: (ctx: OperationContext<P>, params: In, made: Found) => Promise<void>;
  /** Every request idempotent; reads first, so that doing it twice is doing it once. `key` is the undo effect's. */
  readonly reverse: (ctx: OperationContext<P>, params: In, made: Found) => Promise<void>;
  /** Read back: how it stands now. `done` ends it; else `reverse` is called again after `waitMs`. */
  readonly readBack: (
    ctx: OperationContext<P>,
    params: In,
    made: Found,
  ) => Promise<
    | ({ readonly done: true } & Undone)
    | { readonly done: false; readonly waitMs: number; readonly why: string }
  >;
  /** A person has to see to what this reversal cannot do (a case), e.g. the refund within five days. */
  readonly caseText?: (params: In, made: Found) => string;
  readonly classify: (error: unknown) => Classified;
}

export interface StepEffects {
  readonly operation: Operation<never, never>;
  readonly reversal: Reversal<never, never>;
  /** How it is torn down once its run has completed, where that is not the reversal: nothing is refunded by then. */
  readonly teardown?: Reversal<never, never>;
}

/** An operation beside what takes it back. The table holds pairs of differing parameter types; each checks its own. */
export function effectPair<P extends ProviderName, In>(
  operation: Operation<P, In>,
  reversal: Reversal<P, In>,
  teardown?: Reversal<P, In>,
): StepEffects {
  return {
    operation: operation as unknown as StepEffects['operation'],
    reversal: reversal as unknown as StepEffects['reversal'],
    ...(teardown === undefined ? {} : { teardown: teardown as unknown as StepEffects['reversal'] }),
  };
}

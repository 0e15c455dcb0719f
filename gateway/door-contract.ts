import type { Digest, EffectId, GateId, RunId } from '../domain/ids.js';
import type { EffectStep, ProviderName } from '../domain/steps.js';

/**
 * The door: every change to the outside world passes one of these transactions (docs/effects.md).
 * All times are the control database's. Each method is one transaction.
 */
export interface Door {
  /** First send of an effect. Refused unless fence, door, order, grant, policy version, money all hold. */
  authorize(ask: AuthorizeAsk): Promise<DoorAnswer>;
  /** Each later send, by compare-and-set on the attempt that the caller has read. */
  claim(ask: ClaimAsk): Promise<DoorAnswer>;
  /** May this attempt still send? Asked again by a sender whose time has gone by. One read, no lock. */
  still(effectId: EffectId, attempt: number): Promise<boolean>;
  /** What an attempt brought. Success counts from whoever brings it; a failure only from the attempt that holds the row. */
  settle(result: SettleAsk): Promise<Settled>;
  /**
   * Opens one read by get or list: its moment is the database's, taken before the provider is asked (a reader may
   * stall between its question and its report), and it is bound to the attempt that holds the row now.
   */
  startRead(effectId: EffectId): Promise<ReadTicket>;
  /** Records what the read saw; the row's *surely absent* is derived from these, never from a caller's word. */
  recordRead(ticket: ReadTicket, found: boolean): Promise<ReadStanding>;
  /** Records `failed` when the row is surely absent and nobody can send again. */
  failAbsent(effectId: EffectId, attempt: number): Promise<boolean>;
  row(effectId: EffectId): Promise<EffectRow | undefined>;
  rows(runId: RunId): Promise<readonly EffectRow[]>;

  /** Closes the run's door with its cause, verified against the record. @throws NO_CAUSE */
  closeDoor(ask: { runId: RunId; cause: CauseRecord }): Promise<void>;
  /** Upserts the forward row as `closing` (absent: a tombstone). Needs a closed door. */
  markClosing(runId: RunId, step: EffectStep): Promise<EffectRow>;
  /** May the undo row send? Needs: door closed, forward row `closing`, a settled object, amount bounds. No grant, no fence. */
  authorizeUndo(ask: UndoAsk): Promise<DoorAnswer>;
  /** Settles the undo row, and closes the forward row: refund booked where it gives room back. */
  closeRow(ask: CloseAsk): Promise<void>;
  /** door open -> completed, if every planned effect has succeeded. */
  complete(runId: RunId): Promise<'completed' | 'door-closed' | 'not-all-succeeded'>;
  /**
   * Writes how the run ended and releases what is still reserved; the first end stands. Needs a closed door, no
   * forward row that is not closed, and for `reversed` a closed row for every planned effect.
   */
  finish(runId: RunId, why: string): Promise<FinishAnswer>;

  /** Takes the fence lock exclusively; what is on the wire is listed. */
  stop(ask: {
    scope: string;
    reason: string;
    by: string;
    proven: boolean;
    /** What the stop wants of the runs under it; absent: `unwind`, which overrules `hold`. */
    mode?: 'unwind' | 'hold';
    /** Layers that a test leaves out; a production instance takes no notice. */
    off?: readonly LayerName[];
    /** Are the subscriptions in its scope to be paused as well? A stop that stands already may be asked for it later. */
    pauses?: boolean;
  }): Promise<StopRecord>;
  /** What stands of the last stop over a scope, as it reads back; undefined: nothing is stopped there. */
  layers(scope: string): Promise<StandingLayers | undefined>;
  /** Lifts a fence; the caller has verified the signed statement whose digest is given. */
  resume(ask: {
    scope: string;
    by: string;
    statementDigest: Digest;
    /** In canonical form, a line for each word; verified again wherever something is to be sent. */
    message?: string;
    /** The stop that the words are about; another one over the scope stays. Absent: whichever stands. */
    stopId?: number;
  }): Promise<boolean>;
  /** fenced at, drained at, and what is not yet drained. */
  drained(scope: string): Promise<StopRecord>;
  /** The stops in force over a run, one over a provider that it still plans to act at among them. */
  fences(runId: RunId): Promise<readonly Fence[]>;
}

export interface AuthorizeAsk {
  readonly effectId: EffectId;
  readonly runId: RunId;
  readonly step: EffectStep;
  /** Of the action document rebuilt from the very parameters that will be sent. */
  readonly digest: Digest;
  /** The verified gate that lists the digest; absent: the policy in force calls it autonomous. */
  readonly gateId?: GateId;
  /** SHA-256 of each decision's bytes that was re-verified for this use. */
  readonly decisions: readonly string[];
  /** The policy version that judged; refused (POLICY_MOVED) if another is in force by now. */
  readonly policyVersion: number;
  /** The policy asks for a delegation whoever answers for the agent. */
  readonly delegated?: boolean;
  readonly caps: readonly CapAsk[];
  readonly costMaxMinor: number;
  readonly currency: string;
  readonly provider: ProviderName;
  readonly httpTimeoutMs: number;
  readonly settlingMs: number;
  readonly keyed: boolean;
  /** Drawn per activity attempt: the same call answers the same grant until `send_by`. */
  readonly sender: string;
}

/** A cap that this effect falls under: scope ids such as `principal-provider:pr_x:stripe`. Amounts in minor units a UTC month. */
export interface CapAsk {
  readonly scope: string;
  readonly capMinor: number;
}

export interface ClaimAsk extends AuthorizeAsk {
  /** The attempt the caller read and bound its read-back to. */
  readonly attempt: number;
}

export type DoorAnswer =
  | {
      readonly verdict: 'granted';
      readonly attempt: number;
      readonly epoch: number;
      /** Time left to send, in ms, counted from before the call was made (the caller's monotonic clock). */
      readonly remainingMs: number;
    }
  /** The row stands otherwise: read it and act on what it says. */
  | { readonly verdict: 'exists'; readonly row: EffectRow }
  | { readonly verdict: 'wait'; readonly waitMs: number; readonly row: EffectRow }
  | { readonly verdict: 'refused'; readonly reason: Refusal; readonly detail: string };

export type Refusal =
  | 'FENCED'
  | 'DOOR_CLOSED'
  | 'NO_RUN'
  | 'NO_GRANT'
  | 'GRANT_USED'
  | 'GATE_CLOSED'
  | 'GATE_EXPIRED'
  | 'KEY_REVOKED'
  | 'POLICY_MOVED'
  | 'OUT_OF_ORDER'
  | 'NOT_PLANNED'
  | 'CAP'
  | 'OPERATIONS_USED_UP'
  | 'DIGEST_MISMATCH'
  | 'ROW_CLOSED'
  | 'NO_CAUSE'
  /** What is to be torn down does not stand any more, or is another teardown's. */
  | 'NOT_STANDING'
  | IdentityRefusal;

/** An agent of the run's chain may not act for its principal now. */
export type IdentityRefusal =
  | 'AGENT_UNKNOWN'
  | 'AGENT_SUSPENDED'
  | 'AGENT_REMOVED'
  | 'OWNER_GONE'
  | 'DELEGATION_MISSING'
  | 'DELEGATION_REVOKED'
  | 'DELEGATION_EXPIRED'
  | 'DELEGATION_STEPS'
  | 'DELEGATION_CEILING';

export type EffectState = 'claimed' | 'succeeded' | 'failed' | 'unknown' | 'closing' | 'closed';

export interface EffectRow {
  readonly effectId: EffectId;
  readonly runId: RunId;
  readonly step: EffectStep;
  readonly kind: 'act' | 'undo';
  readonly state: EffectState;
  readonly digest: Digest | undefined;
  readonly epoch: number;
  readonly attempt: number;
  readonly settled: boolean;
  /** ms until `send_by`, negative when it has passed. */
  readonly sendByInMs: number | undefined;
  readonly object: string | undefined;
  readonly fields: Readonly<Record<string, string>>;
  readonly capturedMinor: number;
  readonly refundedMinor: number;
  readonly storedError: '402' | '500' | undefined;
  /** Age of the epoch's key since its first send, in ms. */
  readonly keyAgeMs: number | undefined;
  readonly surelyAbsent: boolean;
  readonly tombstone: boolean;
  /** How a closed row was closed. */
  readonly outcome: CloseAsk['outcome'] | undefined;
}

export interface SettleAsk {
  readonly effectId: EffectId;
  readonly attempt: number;
  readonly outcome: 'succeeded' | 'stored-final' | 'unstored-refusal' | 'stored-500' | 'unknown';
  /** The unwinder's own read-back of a `closing` row: captured, and no case. */
  readonly foundBy?: 'unwinder';
  readonly object?: string;
  readonly fields?: Readonly<Record<string, string>>;
  readonly capturedMinor?: number;
  /** Code, status, request id. Never a body. */
  readonly evidence: Readonly<Record<string, string | number | boolean>>;
}

export interface Settled {
  readonly row: EffectRow;
  /** A case was opened: another object, or a success on a `failed`, `closing` or `closed` row. */
  readonly caseOpened?: string;
}

export interface ReadTicket {
  readonly effectId: EffectId;
  readonly attempt: number;
  readonly read: number;
}

export type FinishAnswer = 'finished' | 'door-open' | 'not-all-closed';

export interface ReadStanding {
  readonly surelyAbsent: boolean;
  /** When the next read may count, in ms. */
  readonly nextReadInMs: number;
}

export interface UndoAsk {
  readonly runId: RunId;
  readonly step: EffectStep;
  readonly httpTimeoutMs: number;
  readonly sender: string;
}

export interface CloseAsk {
  readonly runId: RunId;
  readonly step: EffectStep;
  readonly outcome: 'reversed' | 'mitigated' | 'never-happened' | 'done-by-hand' | 'given-up';
  readonly refundedMinor: number;
  readonly residue: { readonly minor: number; readonly text: string };
  readonly caseText?: string;
}

export type CauseRecord =
  | { readonly kind: 'failure'; readonly step: string }
  | { readonly kind: 'rejected' | 'expired' | 'void'; readonly gateId: string }
  | { readonly kind: 'denied' | 'stopped' }
  | { readonly kind: 'resolved'; readonly step: string }
  | { readonly kind: 'temporal'; readonly status: string };

/** The layers of a stop; each holds by itself. */
export type LayerName = 'gateway' | 'runtime' | 'identity' | 'payment';

/** A layer that does not stand has no time. */
export interface StandingLayers {
  readonly fencedAt: string | undefined;
  readonly identityAt: string | undefined;
  readonly paymentAt: string | undefined;
  /** Agents that lie wholly in the scope, and are suspended. */
  readonly agents: number;
  /** Tokens for actions at providers that are not yet known to be revoked. */
  readonly tokens: number;
  /** Since when the subscriptions in the scope are to be paused; undefined: nobody asked for it. */
  readonly pausesAt: string | undefined;
  /** Subscriptions in the scope that may go on charging, those not known to be paused, and when the last one was seen so. */
  readonly subscriptions: number;
  readonly unpaused: number;
  readonly pausedAt: string | undefined;
}

/** A stop in force. */
export interface Fence {
  readonly scope: string;
  readonly mode: 'unwind' | 'hold';
  readonly reason: string;
  readonly by: string;
}

export interface StopRecord {
  readonly scope: string;
  readonly fencedAt: string;
  readonly drainedAt: string | undefined;
  readonly onTheWire: readonly { readonly effectId: EffectId; readonly endsInMs: number }[];
}

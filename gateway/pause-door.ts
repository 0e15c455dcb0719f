import { sql, type RawBuilder } from 'kysely';
import type { EffectId, RunId } from '../domain/ids.js';
import type { Database } from '../store/connect.js';
import { asStoreFailure } from '../store/failures.js';

export type Collection = 'running' | 'paused';

/** One subscription that may go on charging, as it is on record. */
export interface Standing {
  /** The forward effect that made it: its marker at the provider. */
  readonly effectId: EffectId;
  readonly runId: RunId;
  readonly subscription: string;
  /** What the stops in force make of it. */
  readonly wants: Collection;
  readonly state: Collection;
  readonly attempt: number;
  /** Paused before we came. */
  readonly ofOthers: boolean;
  /** The database's clock, from before anything is read at the provider. ISO 8601. */
  readonly lookedAt: string;
}

export type PauseAnswer =
  | { readonly verdict: 'granted'; readonly attempt: number; readonly remainingMs: number }
  | { readonly verdict: 'wait'; readonly waitMs: number }
  | { readonly verdict: 'refused'; readonly reason: string };

/** The transactions of pausing and resuming (store/door-sql/pauses.ts). @throws STORE_UNAVAILABLE */
export interface PauseDoor {
  /** Those that do not stand as they are wanted, or of which that is not known. */
  due(): Promise<readonly Standing[]>;
  begin(ask: {
    readonly effectId: EffectId;
    readonly asks: Collection;
    readonly httpTimeoutMs: number;
    readonly settlingMs: number;
  }): Promise<PauseAnswer>;
  still(effectId: EffectId, attempt: number): Promise<boolean>;
  /** Records what was read, or that nothing was sent. False: it proves nothing. */
  settle(seen: {
    readonly effectId: EffectId;
    readonly attempt: number;
    readonly state: Collection | 'ended' | 'unsent' | 'left';
    readonly lookedAt?: string;
  }): Promise<boolean>;
}

export function createPauseDoor(db: Database): PauseDoor {
  return {
    due: async () => {
      const rows = await asked<Standing>(
        db,
        sql`select effect_id as "effectId", run_id as "runId", subscription, wants, state, attempt,
                   of_others as "ofOthers",
                   to_char(looked_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "lookedAt"
              from pauses_standing() where wants <> state or not settled`,
      );
      return rows;
    },
    begin: (ask) => one(db, sql`select pause_begin(${JSON.stringify(ask)}::jsonb) as answer`),
    still: (effectId, attempt) =>
      one(db, sql`select pause_still(${effectId}, ${attempt}) as answer`),
    settle: (seen) => one(db, sql`select pause_settle(${JSON.stringify(seen)}::jsonb) as answer`),
  };
}

async function asked<T>(db: Database, call: RawBuilder<unknown>): Promise<readonly T[]> {
  try {
    return (await call.execute(db)).rows as T[];
  } catch (error) {
    throw asStoreFailure(error);
  }
}

async function one<T>(db: Database, call: RawBuilder<unknown>): Promise<T> {
  const [row] = await asked<{ readonly answer: T }>(db, call);
  if (row === undefined) throw new Error('invariant: the door answers one row');
  return row.answer;
}

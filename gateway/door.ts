import { sql, type RawBuilder } from 'kysely';
import { Failure } from '../domain/errors.js';
import type { EffectId, RunId } from '../domain/ids.js';
import type { EffectStep } from '../domain/steps.js';
import type { Database } from '../store/connect.js';
import type { SeenEffect } from '../store/effect-rows.js';
import { asStoreFailure, sqlState, STATES } from '../store/failures.js';
import type {
  AuthorizeAsk,
  ClaimAsk,
  CloseAsk,
  Door,
  DoorAnswer,
  EffectRow,
  Fence,
  FinishAnswer,
  ReadStanding,
  ReadTicket,
  Refusal,
  SettleAsk,
  Settled,
  StandingLayers,
  StopRecord,
  UndoAsk,
} from './door-contract.js';
import { effectRow } from './effect-row.js';

/**
 * The door on PostgreSQL: each method is one call of one function in the control database, hence one
 * transaction and one round trip (store/door-sql, docs/effects.md). Keeps no state of its own.
 * @throws STORE_UNAVAILABLE from every method
 */
export function createDoor(db: Database): Door {
  return { ...sending(db), ...settling(db), ...unwinding(db), ...fencing(db) };
}

type Part<Names extends keyof Door> = Pick<Door, Names>;

function sending(db: Database): Part<'authorize' | 'claim' | 'still' | 'row' | 'rows'> {
  return {
    authorize: (ask: AuthorizeAsk) =>
      admit(db, ask, sql`select * from door_authorize(${JSON.stringify(ask)}::jsonb)`),
    claim: (ask: ClaimAsk) =>
      admit(db, ask, sql`select * from door_claim(${JSON.stringify(ask)}::jsonb)`),
    still: async (effectId: EffectId, attempt: number) => {
      const call = sql`select door_still(${effectId}, ${attempt}) as still`;
      return (await one<{ still: boolean }>(db, call)).still;
    },
    row: (effectId: EffectId) => readRow(db, effectId),
    rows: async (runId: RunId) => {
      const rows = await query<SeenEffect>(db, sql`select * from door_rows(${runId}, null)`);
      return rows.map(effectRow);
    },
  };
}

function settling(db: Database): Part<'settle' | 'startRead' | 'recordRead' | 'failAbsent'> {
  return {
    settle: async (result: SettleAsk): Promise<Settled> => {
      const { opened, ...seen } = await one<SeenEffect & { opened: string | null }>(
        db,
        sql`select * from door_settled(${JSON.stringify(result)}::jsonb)`,
      );
      const row = effectRow(seen);
      return opened === null ? { row } : { row, caseOpened: opened };
    },
    startRead: async (effectId: EffectId): Promise<ReadTicket> => {
      const { read_id, attempt } = await one<{ read_id: number; attempt: number }>(
        db,
        sql`select * from door_start_read(${effectId})`,
      );
      return { effectId, attempt, read: read_id };
    },
    recordRead: async (ticket: ReadTicket, found: boolean): Promise<ReadStanding> => {
      const standing = await one<{ surely_absent: boolean; next_read_ms: number }>(
        db,
        sql`select * from door_record_read(${ticket.read}, ${found})`,
      );
      return { surelyAbsent: standing.surely_absent, nextReadInMs: standing.next_read_ms };
    },
    failAbsent: async (effectId: EffectId, attempt: number) => {
      const call = sql`select * from door_fail_absent(${effectId}, ${attempt}) as failed`;
      return (await one<{ failed: boolean }>(db, call)).failed;
    },
  };
}

type Unwinding = 'closeDoor' | 'markClosing' | 'authorizeUndo' | 'closeRow' | 'complete' | 'finish';

function unwinding(db: Database): Part<Unwinding> {
  return {
    closeDoor: async ({ runId, cause }) => {
      await query(db, sql`select door_close(${runId}, ${JSON.stringify(cause)}::jsonb)`);
    },
    markClosing: async (runId: RunId, step: EffectStep) => {
      await query(db, sql`select door_mark_closing(${runId}, ${step})`);
      const rows = await query<SeenEffect>(db, sql`select * from door_rows(${runId}, null)`);
      const row = rows.find((candidate) => candidate.step === step && candidate.kind === 'act');
      if (row === undefined) throw new Error(`run ${runId} has no row for ${step}`);
      return effectRow(row);
    },
    authorizeUndo: (ask: UndoAsk) =>
      admit(db, ask, sql`select * from door_authorize_undo(${JSON.stringify(ask)}::jsonb)`),
    closeRow: async (ask: CloseAsk) => {
      await query(db, sql`select door_close_row(${JSON.stringify(ask)}::jsonb)`);
    },
    complete: async (runId: RunId) => {
      type Answer = 'completed' | 'door-closed' | 'not-all-succeeded';
      const call = sql`select * from door_complete(${runId}) as answer`;
      return (await one<{ answer: Answer }>(db, call)).answer;
    },
    finish: async (runId, why) => {
      const call = sql`select * from door_finish(${runId}, ${why}) as answer`;
      return (await one<{ answer: FinishAnswer }>(db, call)).answer;
    },
  };
}

function fencing(db: Database): Part<'stop' | 'resume' | 'drained' | 'fences' | 'layers'> {
  return {
    stop: async ({ scope, reason, by, proven, mode = 'unwind', off = [], pauses = false }) => {
      await query(
        db,
        sql`select door_stop(${scope}, ${reason}, ${by}, ${proven}, ${mode},
          ${[...off]}::text[], ${pauses})`,
      );
      return drained(db, scope);
    },
    layers: (scope: string) => layers(db, scope),
    resume: async ({ scope, by, statementDigest, message = null, stopId = null }) => {
      const call = sql`select * from door_resume(${scope}, ${by}, ${statementDigest},
        ${message}::text, ${stopId}::bigint) as lifted`;
      return (await one<{ lifted: boolean }>(db, call)).lifted;
    },
    drained: (scope: string) => drained(db, scope),
    fences: async (runId: RunId) => {
      const rows = await query<Fence>(
        db,
        sql`select f.scope, t.mode, t.reason, t.stopped_by as by
              from fences f join stops t on t.stop_id = f.stop_id join runs r on r.run_id = ${runId}
            where scope_covers(f.scope, r, '') or (f.scope like 'provider/%' and exists (
              select 1 from plan_steps s where s.run_id = r.run_id and s.kind = 'act'
                and s.revision = r.plan_revision and f.scope = 'provider/' || s.provider))
            order by f.scope`,
      );
      return rows;
    },
  };
}

async function layers(db: Database, scope: string): Promise<StandingLayers | undefined> {
  const [row] = await query<{
    fenced_at: Date | null;
    identity_at: Date | null;
    payment_at: Date | null;
    agents: number;
    tokens: number;
    pauses_at: Date | null;
    subscriptions: number;
    unpaused: number;
    paused_at: Date | null;
  }>(db, sql`select * from door_layers(${scope})`);
  return row === undefined
    ? undefined
    : {
        fencedAt: row.fenced_at?.toISOString(),
        identityAt: row.identity_at?.toISOString(),
        paymentAt: row.payment_at?.toISOString(),
        agents: row.agents,
        tokens: row.tokens,
        pausesAt: row.pauses_at?.toISOString(),
        subscriptions: row.subscriptions,
        unpaused: row.unpaused,
        pausedAt: row.paused_at?.toISOString(),
      };
}

async function drained(db: Database, scope: string): Promise<StopRecord> {
  const rows = await query<{
    fenced_at: Date;
    drained_at: Date | null;
    effect_id: EffectId | null;
    ends_in_ms: number | null;
  }>(db, sql`select * from door_drained(${scope})`);
  const [head, ...wire] = rows;
  if (head === undefined)
    throw new Failure('REQUEST_INVALID', `nothing was ever stopped over ${JSON.stringify(scope)}`);
  return {
    scope,
    fencedAt: head.fenced_at.toISOString(),
    drainedAt: head.drained_at?.toISOString(),
    onTheWire: wire.flatMap(({ effect_id, ends_in_ms }) =>
      effect_id === null ? [] : [{ effectId: effect_id, endsInMs: ends_in_ms ?? 0 }],
    ),
  };
}

interface RawAnswer {
  readonly verdict: 'granted' | 'exists' | 'wait' | 'refused';
  readonly reason: Refusal | null;
  readonly detail: string | null;
  readonly attempt: number | null;
  readonly epoch: number | null;
  readonly remaining_ms: number | null;
  readonly wait_ms: number | null;
}

async function admit(
  db: Database,
  ask: AuthorizeAsk | UndoAsk,
  call: RawBuilder<unknown>,
): Promise<DoorAnswer> {
  let answer: RawAnswer;
  try {
    answer = await one<RawAnswer>(db, call);
  } catch (error) {
    if (sqlState(error) !== STATES.cap || !(error instanceof Error)) throw error;
    // The raise took everything back, so the refusal is written by itself.
    await query(
      db,
      sql`select log_refusal(${ask.runId}, ${`draw ${ask.step}`}, 'CAP', ${error.message})`,
    );
    return { verdict: 'refused', reason: 'CAP', detail: error.message };
  }
  const detail = answer.detail ?? '';
  if (answer.verdict === 'refused')
    return { verdict: 'refused', reason: answer.reason ?? 'NO_GRANT', detail };
  if (answer.verdict === 'granted')
    return {
      verdict: 'granted',
      attempt: answer.attempt ?? 0,
      epoch: answer.epoch ?? 0,
      remainingMs: answer.remaining_ms ?? 0,
    };
  const kind = 'effectId' in ask ? 'act' : 'undo';
  const rows = await query<SeenEffect>(db, sql`select * from door_rows(${ask.runId}, null)`);
  const raw = rows.find((candidate) => candidate.step === ask.step && candidate.kind === kind);
  if (raw === undefined) throw new Error(`run ${ask.runId} has no row for ${ask.step}/${kind}`);
  const row = effectRow(raw);
  return answer.verdict === 'wait'
    ? { verdict: 'wait', waitMs: answer.wait_ms ?? 0, row }
    : { verdict: 'exists', row };
}

async function readRow(db: Database, effectId: EffectId): Promise<EffectRow | undefined> {
  const [raw] = await query<SeenEffect>(db, sql`select * from door_rows(null, ${effectId})`);
  return raw === undefined ? undefined : effectRow(raw);
}

async function query<T>(db: Database, call: RawBuilder<unknown>): Promise<T[]> {
  try {
    return (await call.execute(db)).rows as T[];
  } catch (error) {
    throw doorFailure(error);
  }
}

async function one<T>(db: Database, call: RawBuilder<unknown>): Promise<T> {
  const [row] = await query<T>(db, call);
  if (row === undefined) throw new Error('the door answered nothing: no such row');
  return row;
}

/** Our own raises as Failures; the cap's is left to `admit`. */
function doorFailure(error: unknown): unknown {
  const message = error instanceof Error ? error.message : '';
  switch (sqlState(error)) {
    case STATES.cause:
      return new Failure('NO_CAUSE', message);
    case STATES.busy:
      return new Failure('BUSY', message, {}, 1_000);
    default:
      return asStoreFailure(error);
  }
}

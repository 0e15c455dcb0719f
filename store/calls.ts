import { sql } from 'kysely';
import type { Executor } from './connect.js';
import type { Row } from './schema.js';

/** What a call met: an answer, nothing (or a 5xx), or a 429. */
export type Met = 'answer' | 'none' | 'limited';

export interface Taken {
  readonly granted: number;
  /** When to ask again, in ms; 0 where some were granted. */
  readonly wait_ms: number;
  /** `trial`: granted to see whether the provider answers again. */
  readonly why: 'rate' | 'breaker' | 'trial' | null;
}

/** Takes up to `want` calls to a provider for an agent (empty: nobody's in particular). One round trip. */
export async function takeCalls(
  db: Executor,
  of: {
    readonly provider: string;
    readonly agent: string;
    readonly reversal: boolean;
    readonly want: number;
    /** False: only whether the provider answers is looked at. */
    readonly counted?: boolean;
  },
): Promise<Taken> {
  const { rows } = await sql<Taken>`
    select * from calls_take(${of.provider}, ${of.agent}, ${of.reversal}, ${of.want},
      ${of.counted ?? true})`.execute(db);
  const [taken] = rows;
  if (taken === undefined) throw new Error('invariant: calls_take answers one row');
  return taken;
}

export async function noteCall(db: Executor, provider: string, met: Met): Promise<void> {
  await sql`select calls_note(${provider}, ${met})`.execute(db);
}

/** Providers whose breaker is open. */
export async function openBreakers(db: Executor): Promise<Row<'breakers'>[]> {
  return db.selectFrom('breakers').selectAll().where('opened_at', 'is not', null).execute();
}

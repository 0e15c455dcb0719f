import { sql } from 'kysely';
import type { Executor } from './connect.js';

/** A signed word towards lifting a stop. */
export interface LiftWord {
  /** Digest of the statement. */
  readonly statement: string;
  readonly stopId: number;
  readonly person: string;
  /** The resume message in canonical form. */
  readonly message: string;
}

/** Keeps a word with the stop that it was said about, for ever. */
export async function addLiftWord(tx: Executor, of: LiftWord): Promise<void> {
  await tx
    .insertInto('lift_words')
    .values({
      statement: of.statement,
      stop_id: of.stopId,
      person_id: of.person,
      message: of.message,
    })
    .execute();
}

/** Which stops these statements were said about; one that is not here was said about none yet. */
export async function stopsOfWords(
  db: Executor,
  statements: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  if (statements.length === 0) return new Map();
  const rows = await db
    .selectFrom('lift_words')
    .select(['statement', 'stop_id'])
    .where('statement', 'in', [...statements])
    .execute();
  return new Map(rows.map((row) => [row.statement, row.stop_id]));
}

/** The words said about a stop since somebody asked for it last, oldest first, as they were received. */
export async function liftWordsOf(db: Executor, stopId: number): Promise<readonly string[]> {
  const { rows } = await sql<{ message: string }>`
    select w.message from lift_words w join stops s on s.stop_id = w.stop_id
     where w.stop_id = ${stopId} and w.recorded_at >= coalesce(s.pressed_at, s.fenced_at)
     order by w.recorded_at, w.statement`.execute(db);
  return rows.map(({ message }) => message);
}

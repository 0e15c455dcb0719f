import type { Executor } from './connect.js';

/** Keeps a signed word towards lifting a stop; the same one again changes nothing. */
export async function addLiftWord(
  db: Executor,
  of: {
    /** Digest of the statement. */
    readonly statement: string;
    readonly stopId: number;
    readonly person: string;
    /** The resume message in canonical form. */
    readonly message: string;
  },
): Promise<void> {
  await db
    .insertInto('lift_words')
    .values({
      statement: of.statement,
      stop_id: of.stopId,
      person_id: of.person,
      message: of.message,
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** The words said towards lifting a stop, oldest first, as they were received. */
export async function liftWordsOf(db: Executor, stopId: number): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('lift_words')
    .select('message')
    .where('stop_id', '=', stopId)
    .orderBy('recorded_at')
    .orderBy('statement')
    .execute();
  return rows.map(({ message }) => message);
}

import { sql } from 'kysely';
import type { Database } from './connect.js';

/** The name under which a POST is answered once: who asked, where, under which key, with which body. */
export interface AnswerKey {
  readonly caller: string;
  readonly route: string;
  /** SHA-256, hex. */
  readonly keyDigest: string;
  readonly bodyDigest: string;
}

export interface StoredAnswer {
  readonly status: number;
  readonly body: string;
  readonly contentType: string;
}

export type Begun =
  | { readonly begun: true }
  | { readonly begun: false; readonly why: 'other-body' | 'busy' }
  | { readonly begun: false; readonly why: 'answered'; readonly answer: StoredAnswer };

/** An answer that was never given belongs to a process that is gone after this. In s. */
const ABANDONED_S = 120;
/** Keys are remembered for this long. In days. */
const KEPT_DAYS = 7;

/** Takes the key for this attempt, or says what stands under it. */
export async function beginAnswer(db: Database, key: AnswerKey, attempt: string): Promise<Begun> {
  const { bodyDigest, caller, keyDigest, route } = key;
  await sql`delete from http_answers where begun_at < countersign_now() - ${`${KEPT_DAYS} days`}::interval`.execute(
    db,
  );
  const { rows } = await sql<{
    body_digest: string;
    status: number | null;
    body: string | null;
    content_type: string | null;
    attempt: string;
  }>`
    insert into http_answers as a (caller, route, key_digest, body_digest, attempt)
      values (${caller}, ${route}, ${keyDigest}, ${bodyDigest}, ${attempt})
    on conflict (caller, route, key_digest) do update
      set attempt = case when a.status is null and a.body_digest = excluded.body_digest
                          and a.begun_at < countersign_now() - ${`${ABANDONED_S} seconds`}::interval
                         then excluded.attempt else a.attempt end
    returning body_digest, status, body, content_type, attempt`.execute(db);
  const [row] = rows;
  if (row === undefined) throw new Error('invariant: an upsert returns its row');
  // guard: one key, one body. Another body under it is no repetition.
  if (row.body_digest !== bodyDigest) return { begun: false, why: 'other-body' };
  if (row.attempt === attempt) return { begun: true };
  if (row.status === null) return { begun: false, why: 'busy' };
  const answer = { status: row.status, body: row.body ?? '', contentType: row.content_type ?? '' };
  return { begun: false, why: 'answered', answer };
}

/** Keeps the answer of this attempt; undefined forgets the key, so that it may be tried again. */
export async function endAnswer(
  db: Database,
  { caller, keyDigest, route }: AnswerKey,
  attempt: string,
  answer: StoredAnswer | undefined,
): Promise<void> {
  if (answer === undefined)
    await db
      .deleteFrom('http_answers')
      .where('caller', '=', caller)
      .where('route', '=', route)
      .where('key_digest', '=', keyDigest)
      .where('attempt', '=', attempt)
      .execute();
  else
    await db
      .updateTable('http_answers')
      .set({ status: answer.status, body: answer.body, content_type: answer.contentType })
      .where('caller', '=', caller)
      .where('route', '=', route)
      .where('key_digest', '=', keyDigest)
      .where('attempt', '=', attempt)
      .execute();
}

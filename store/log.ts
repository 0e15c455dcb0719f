import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { Executor } from './connect.js';

export interface LogEntry {
  readonly kind: string;
  readonly runId?: string;
  /** Goes to the erasable payload; only its salted hash is in the chain. */
  readonly payload: Readonly<Record<string, unknown>>;
}

/** Appends one entry. The last statement of its transaction: the log's head is the last lock in the order. */
export async function appendLog(tx: Executor, entry: LogEntry): Promise<void> {
  const payload = JSON.stringify(entry.payload);
  await sql`select log_append(${entry.kind}, ${entry.runId ?? null}::text, ${payload}::jsonb)`.execute(
    tx,
  );
}

const sha256 = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex');

/**
 * Computes the chain again from its start: the number of entries when it holds, else the first index that does
 * not. An erased payload leaves its leaf unproven and the chain whole.
 */
export async function verifyLog(
  db: Executor,
): Promise<{ readonly entries: number } | { readonly brokenAt: number }> {
  const rows = await db
    .selectFrom('log')
    .leftJoin('log_payloads', 'log_payloads.idx', 'log.idx')
    .select(['log.idx', 'kind', 'run_id', 'at', 'leaf', 'prev', 'hash', 'salt', 'payload'])
    .orderBy('log.idx')
    .execute();
  let prev = '0'.repeat(64);
  for (const [position, row] of rows.entries()) {
    const text = [prev, row.idx, row.kind, row.run_id ?? '', row.at.getTime(), row.leaf].join('|');
    const leafHolds =
      row.salt === null || row.payload === null || sha256(row.salt + row.payload) === row.leaf;
    if (row.idx !== position + 1 || row.prev !== prev || sha256(text) !== row.hash || !leafHolds)
      return { brokenAt: position + 1 };
    prev = row.hash;
  }
  const head = await db.selectFrom('log_head').selectAll().executeTakeFirstOrThrow();
  return head.idx === rows.length && head.hash === prev
    ? { entries: rows.length }
    : { brokenAt: rows.length + 1 };
}

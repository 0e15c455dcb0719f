import { sql } from 'kysely';
import type { Database } from './connect.js';
import type { Row } from './schema.js';

export type TokenRow = Row<'provider_tokens'>;

/** The run's live token for exactly this, and how long it is good for. In ms. */
export async function liveToken(
  db: Database,
  of: {
    readonly runId: string;
    readonly class: TokenRow['class'];
    readonly purpose: string;
    readonly account: string;
    readonly zone: string;
  },
): Promise<{ readonly row: TokenRow; readonly leftMs: number } | undefined> {
  const row = await db
    .selectFrom('provider_tokens')
    .selectAll()
    .select(sql<number>`to_ms(expires_at - countersign_now())`.as('left_ms'))
    .where('run_id', '=', of.runId)
    .where('class', '=', of.class)
    .where('purpose', '=', of.purpose)
    .where('account', '=', of.account)
    .where('zone', '=', of.zone)
    .where('state', '=', 'live')
    .orderBy('expires_at', 'desc')
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const { left_ms: leftMs, ...token } = row;
  return { row: token, leftMs };
}

/** Tokens that are to be revoked: told so, expired, or minted by somebody who never came back. */
export async function dueTokens(db: Database, runId?: string): Promise<readonly DueToken[]> {
  let query = db
    .selectFrom('provider_tokens')
    .selectAll()
    .select(
      sql<number>`to_ms(send_by + from_ms(settling_ms) - countersign_now())`.as('settles_in_ms'),
    )
    .where(
      sql<boolean>`(state = 'due' or (state = 'live' and expires_at <= countersign_now())
        or (state = 'minting' and send_by < countersign_now()))`,
    );
  if (runId !== undefined) query = query.where('run_id', '=', runId);
  const rows = await query.orderBy('created_at').limit(100).execute();
  return rows.map(({ settles_in_ms: settlesInMs, ...row }) => ({ row, settlesInMs }));
}

export interface DueToken {
  readonly row: TokenRow;
  /** Until then a mint without an answer may still show. */
  readonly settlesInMs: number;
}

/** Puts a value sealed under a newer key in the place of the former one, if nobody was quicker. */
export async function resealToken(
  db: Database,
  row: TokenRow,
  sealed: { readonly keyId: string; readonly nonce: Buffer; readonly ciphertext: Buffer },
): Promise<void> {
  await db
    .updateTable('provider_tokens')
    .set({ key_id: sealed.keyId, nonce: sealed.nonce, ciphertext: sealed.ciphertext })
    .where('token_id', '=', row.token_id)
    .where('key_id', '=', row.key_id)
    .where('state', '=', 'live')
    .execute();
}

/** The accounts in which tokens were minted in the last week: where leftovers may lie. */
export async function accountsWithTokens(db: Database): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('provider_tokens')
    .select('account')
    .distinct()
    .where('created_at', '>', sql<Date>`countersign_now() - interval '7 days'`)
    .execute();
  return rows.map(({ account }) => account);
}

/** Names of tokens that may be at the provider by right: being minted, live, or about to be revoked by their row. */
export async function standingNames(db: Database, account: string): Promise<ReadonlySet<string>> {
  const rows = await db
    .selectFrom('provider_tokens')
    .select('name')
    .where('account', '=', account)
    .where('state', '<>', 'revoked')
    .execute();
  return new Set(rows.map(({ name }) => name));
}

/** Tokens for actions under a stop's scope that still stand at the provider: none once a stop has gone through. */
export async function tokensStanding(db: Database, scope: string): Promise<number> {
  const { rows } = await sql<{ standing: number }>`
    select count(*) as standing from provider_tokens t join runs r on r.run_id = t.run_id
     where t.class = 'actions' and t.state <> 'revoked' and scope_covers(${scope}, r, 'cloudflare')`.execute(
    db,
  );
  return rows[0]?.standing ?? 0;
}

/** How many tokens stand in each state, and the names of up to five that stand longer past their time than `leftoverMs`. */
export async function tokenCensus(
  db: Database,
  leftoverMs: number,
): Promise<{
  readonly count: (state: TokenRow['state']) => number;
  readonly late: readonly string[];
}> {
  const { rows } = await sql<{ state: string; standing: number }>`
    select case when state = 'live' and expires_at <= countersign_now() then 'due' else state end
             as state,
           count(*) as standing
      from provider_tokens where state <> 'revoked' group by 1`.execute(db);
  const { rows: late } = await sql<{ name: string }>`
    select name from provider_tokens
     where state = 'due' and send_by + from_ms(settling_ms + ${leftoverMs}) < countersign_now()
        or state <> 'revoked' and expires_at + from_ms(${leftoverMs}) < countersign_now()
     order by created_at limit 5`.execute(db);
  return {
    count: (state) => rows.find((row) => row.state === state)?.standing ?? 0,
    late: late.map(({ name }) => name),
  };
}

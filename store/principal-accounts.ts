import { sql } from 'kysely';
import type { Executor } from './connect.js';

export interface LinkedAccount {
  readonly principal: string;
  readonly provider: 'stripe' | 'cloudflare';
  /** A customer id at Stripe, an account id at Cloudflare. */
  readonly account: string;
  readonly runId: string;
}

/** Puts on record that the principal's account at a provider is this one; once is enough. */
export async function linkAccount(db: Executor, link: LinkedAccount): Promise<void> {
  await db
    .insertInto('principal_accounts')
    .values({
      principal_id: link.principal,
      provider: link.provider,
      account: link.account,
      run_id: link.runId,
      linked_at: sql<Date>`countersign_now()`,
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** The account that was linked last and has not been taken back since, or undefined. */
export async function linkedAccount(
  db: Executor,
  of: { readonly principal: string; readonly provider: 'stripe' | 'cloudflare' },
): Promise<string | undefined> {
  const row = await db
    .selectFrom('principal_accounts as a')
    .select('a.account')
    .where('a.principal_id', '=', of.principal)
    .where('a.provider', '=', of.provider)
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('effects as e')
            .select('e.effect_id')
            .whereRef('e.run_id', '=', 'a.run_id')
            .whereRef('e.object', '=', 'a.account')
            .where('e.state', 'in', ['closing', 'closed']),
        ),
      ),
    )
    .orderBy('a.linked_at', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.account;
}

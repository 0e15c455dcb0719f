import { sql } from 'kysely';
import { adoptersOf } from './adoptions.js';
import type { Executor } from './connect.js';

export interface LinkedAccount {
  readonly principal: string;
  readonly provider: 'stripe' | 'cloudflare';
  /** A customer id at Stripe, an account id at Cloudflare. */
  readonly account: string;
  readonly runId: string;
}

/** Has the run that linked the account taken that back, or another one taken it down? */
const takenBack = sql<boolean>`exists (select 1 from effects e
  where e.run_id = principal_accounts.run_id and e.object = principal_accounts.account
    and (e.state in ('closing', 'closed') or e.torn_by is not null))`;

/**
 * Puts on record that the principal's account at a provider is this one. Once is enough, unless the run that linked it
 * has taken it back: then it is the later run's.
 */
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
    .onConflict((conflict) =>
      conflict
        .columns(['principal_id', 'provider', 'account'])
        .doUpdateSet((eb) => ({
          run_id: eb.ref('excluded.run_id'),
          linked_at: eb.ref('excluded.linked_at'),
        }))
        .where(takenBack),
    )
    .execute();
}

/**
 * The account that was linked last and not taken back since, or undefined. One that was taken back is still the
 * principal's while another run builds on it.
 */
export async function linkedAccount(
  db: Executor,
  of: { readonly principal: string; readonly provider: 'stripe' | 'cloudflare' },
): Promise<string | undefined> {
  const rows = await db
    .selectFrom('principal_accounts')
    .innerJoin('runs', 'runs.run_id', 'principal_accounts.run_id')
    .select(['principal_accounts.account', 'runs.run_id', 'runs.principal', 'runs.domain'])
    .select(takenBack.as('taken_back'))
    .where('principal_id', '=', of.principal)
    .where('provider', '=', of.provider)
    .orderBy('linked_at', 'desc')
    .execute();
  const step = of.provider === 'stripe' ? 'create-customer' : 'link-account';
  for (const { account, taken_back: back, run_id: runId, principal, domain } of rows) {
    if (!back) return account;
    const made = { runId, principal, domain, step, object: account } as const;
    if ((await adoptersOf(db, made)).length > 0) return account;
  }
  return undefined;
}

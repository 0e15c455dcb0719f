import { sql } from 'kysely';
import type { Executor } from './connect.js';
import { appendLog } from './log.js';
import { addNotice } from './notices.js';
import type { AgentState } from './schema-identity.js';
import type { Row } from './schema.js';

/**
 * Accounts: who a verified token is of. An account (issuer, subject) belongs to one holder for ever, and is found by
 * that pair alone: no e-mail address links or finds anything, verified or not.
 */

/** Who is behind an account that is not void. */
export type AccountHolder =
  | { readonly kind: 'person'; readonly person: string; readonly active: boolean }
  | {
      readonly kind: 'agent';
      readonly agent: string;
      readonly state: AgentState;
      /** `agents on|off`. */
      readonly mayStart: boolean;
      readonly owner: string | undefined;
      /** What it may ask for by this token; empty allows nothing, `*` any. */
      readonly principals: readonly string[];
      readonly environments: readonly string[];
      readonly via: readonly string[];
    }
  | {
      readonly kind: 'service';
      readonly service: string;
      /** What each of its keys that are not revoked may ask for. */
      readonly keys: readonly KeyLists[];
    };

export interface KeyLists {
  readonly agents: readonly string[];
  readonly principals: readonly string[];
  readonly environments: readonly string[];
}

/** The holder of a verified (issuer, subject), or undefined: unknown, unlinked or replaced. Whether they may do anything is the caller's question. */
export async function accountOf(
  db: Executor,
  iss: string,
  sub: string,
): Promise<AccountHolder | undefined> {
  const row = await db
    .selectFrom('accounts')
    .leftJoin('persons', 'persons.person_id', 'accounts.person_id')
    .leftJoin('agents', 'agents.agent_id', 'accounts.agent_id')
    .selectAll('accounts')
    .select(['persons.active as person_active', 'persons.kind', 'agents.state', 'owner_person'])
    .select(['agents.active as may_start', 'principals', 'environments', 'via'])
    .where('iss', '=', iss)
    .where('sub', '=', sub)
    .where('void_at', 'is', null)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  if (row.person_id !== null)
    return {
      kind: 'person',
      person: row.person_id,
      active: row.person_active === true && row.kind === 'human',
    };
  if (row.agent_id !== null)
    return {
      kind: 'agent',
      agent: row.agent_id,
      state: row.state ?? 'removed',
      mayStart: row.may_start === true,
      owner: row.owner_person ?? undefined,
      principals: row.principals ?? [],
      environments: row.environments ?? [],
      via: row.via ?? [],
    };
  return row.service_id === null ? undefined : serviceHolder(db, row.service_id);
}

async function serviceHolder(db: Executor, service: string): Promise<AccountHolder> {
  const keys = await db
    .selectFrom('service_keys')
    .select(['agents', 'principals', 'environments'])
    .where('service_id', '=', service)
    .where('revoked_at', 'is', null)
    .execute();
  return { kind: 'service', service, keys };
}

export interface NewAccount {
  readonly iss: string;
  readonly sub: string;
  readonly holder:
    { readonly person: string } | { readonly agent: string } | { readonly service: string };
  /** For people to read; never looked up. */
  readonly email?: string;
  readonly emailVerified?: boolean;
  /** The person who signed for it, or how it came about (`bootstrap`, `operator`). */
  readonly linkedBy: string;
  /** The signed statement, where one was needed. */
  readonly statement?: string;
}

const now = sql<Date>`countersign_now()`;

/** `taken`: it is, or was, somebody's. */
export type Linking = 'linked' | 'linked-already' | 'taken';

/**
 * Links an account to its holder. The caller has seen to it that whoever had to sign has signed (gateway/register.ts);
 * a person gets back an account of their own that was unlinked, nobody anybody else's.
 */
export async function linkAccountTo(tx: Executor, account: NewAccount): Promise<Linking> {
  const { holder, iss, sub } = account;
  const of = {
    person_id: 'person' in holder ? holder.person : null,
    agent_id: 'agent' in holder ? holder.agent : null,
    service_id: 'service' in holder ? holder.service : null,
  };
  const known = await accountRow(tx, iss, sub);
  if (known !== undefined) {
    const same =
      known.person_id === of.person_id &&
      known.agent_id === of.agent_id &&
      known.service_id === of.service_id;
    if (same && known.void_at === null) return 'linked-already';
    if (!same || of.person_id === null) return 'taken';
  }
  const shown = { email: account.email ?? null, email_verified: account.emailVerified === true };
  const signed = { linked_by: account.linkedBy, statement: account.statement ?? null };
  await tx
    .insertInto('accounts')
    .values({
      iss,
      sub,
      ...of,
      ...shown,
      ...signed,
      linked_at: now,
      void_at: null,
      void_reason: null,
    })
    .onConflict((conflict) =>
      conflict
        .columns(['iss', 'sub'])
        .doUpdateSet({ ...shown, ...signed, linked_at: now, void_at: null, void_reason: null }),
    )
    .execute();
  const { linked_at: at } = await tx
    .selectFrom('accounts')
    .select('linked_at')
    .where('iss', '=', iss)
    .where('sub', '=', sub)
    .executeTakeFirstOrThrow();
  const payload = { iss, sub, ...holder, by: account.linkedBy };
  await addNotice(tx, {
    kind: 'account-linked',
    dedupe: `account-linked:${iss} ${sub} ${at.toISOString()}`,
    payload: { ...holder, iss, by: account.linkedBy },
  });
  await appendLog(tx, { kind: 'account-linked', payload: { ...payload, ...statementOf(account) } });
  return 'linked';
}

const statementOf = ({ statement }: NewAccount): { statement?: string } =>
  statement === undefined ? {} : { statement };

const accountRow = (db: Executor, iss: string, sub: string): Promise<Row<'accounts'> | undefined> =>
  db
    .selectFrom('accounts')
    .selectAll()
    .where('iss', '=', iss)
    .where('sub', '=', sub)
    .executeTakeFirst();

/** Makes an account void from now on: its tokens are nobody's. Its e-mail address is forgotten. False: there was none. */
export async function voidAccount(
  tx: Executor,
  of: { readonly iss: string; readonly sub: string; readonly reason: string; readonly by: string },
): Promise<boolean> {
  const { by, iss, reason, sub } = of;
  const changed = await tx
    .updateTable('accounts')
    .set({ void_at: now, void_reason: reason, email: null, email_verified: false })
    .where('iss', '=', iss)
    .where('sub', '=', sub)
    .where('void_at', 'is', null)
    .returning(['person_id', 'agent_id', 'service_id', 'void_at'])
    .executeTakeFirst();
  if (changed === undefined) return false;
  const holder = changed.person_id ?? changed.agent_id ?? changed.service_id ?? '';
  await addNotice(tx, {
    kind: 'account-void',
    dedupe: `account-void:${iss} ${sub} ${changed.void_at?.toISOString() ?? ''}`,
    payload: { holder, iss, by },
  });
  await appendLog(tx, { kind: 'account-void', payload: { iss, sub, holder, reason, by } });
  return true;
}

/** The accounts of one holder, oldest first, void ones among them. */
export async function accountsOf(
  db: Executor,
  of: NewAccount['holder'],
): Promise<Row<'accounts'>[]> {
  const query = db.selectFrom('accounts').selectAll().orderBy('linked_at');
  if ('person' in of) return query.where('person_id', '=', of.person).execute();
  if ('agent' in of) return query.where('agent_id', '=', of.agent).execute();
  return query.where('service_id', '=', of.service).execute();
}

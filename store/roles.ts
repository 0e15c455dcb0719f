import { sql } from 'kysely';
import { Failure } from '../domain/errors.js';
import type { Database, Executor } from './connect.js';
import { sqlState } from './failures.js';

/**
 * Who may do what in the control database. The owner migrates and does nothing else. Every process of ours is a login
 * that is a member of one of these roles: it reads, it writes the few tables below by itself, and everything that money,
 * grants, stops, effects and the log hang on it changes through the door's functions alone, which run as the owner.
 */
export const ROLES = {
  /** Workers and the command line. */
  gateway: 'countersign_gateway',
  /** Admissions, decisions and reads: no effect leaves by it. */
  server: 'countersign_server',
  /** Reads, for reports and audits. */
  reader: 'countersign_reader',
} as const;
export type RoleName = keyof typeof ROLES;

type Privilege = 'insert' | 'update' | 'delete' | `update (${string})`;
type Writes = Readonly<Record<string, readonly Privilege[]>>;

/** Written by the server as well: who asks, what was decided, and what was sent for it. */
const SERVER_WRITES: Writes = {
  runs: ['insert', 'update (plan_revision)'],
  run_agents: ['insert'],
  gates: ['update'],
  decisions: ['insert'],
  terms_acceptances: ['insert'],
  principal_accounts: ['insert', 'update'],
  bundles: ['insert'],
  bundle_files: ['insert'],
  webhook_events: ['insert'],
  // A passkey's counter moves where what it signed is accepted.
  keys: ['update (counter, backed_up)'],
  // The first answer to a key is kept, and forgotten when its time is over.
  http_answers: ['insert', 'update', 'delete'],
  sessions: ['insert'],
};

/** Tables that our code writes without a function of the door, and how. `test/store/roles.test.ts` holds the code to it. */
export const WRITES: Readonly<Record<RoleName, Writes>> = {
  gateway: {
    ...SERVER_WRITES,
    gates: ['insert', 'update'],
    plans: ['insert'],
    plan_steps: ['insert'],
    policies: ['insert'],
    persons: ['insert', 'update (active)'],
    register_changes: ['insert'],
    keys: ['insert', 'update'],
    key_enrolments: ['insert'],
    key_approvals: ['insert'],
    key_revocations: ['insert'],
    root_pins: ['insert'],
    lift_words: ['insert'],
    agents: ['insert', 'update'],
    principals: ['insert', 'update'],
    service_keys: ['insert', 'update'],
    accounts: ['insert', 'update'],
    delegations: ['insert', 'update'],
    deliveries: ['insert', 'update'],
    break_glasses: ['insert'],
    // Taken one by one: a lock on a row asks for the right to change it.
    notice_queue: ['update', 'delete'],
    resolutions: ['insert'],
    run_failures: ['insert'],
    temporal_ends: ['insert'],
    webhook_events: ['insert', 'update (handled_at)'],
    reconcile_passes: ['insert', 'update'],
    reconcile_areas: ['insert', 'update'],
    cases: [
      'update (closed_at, closed_by, closed_as, close_reason, close_statement, close_digest)',
    ],
    provider_tokens: ['update (key_id, nonce, ciphertext)'],
    credential_states: ['insert', 'update', 'delete'],
    instance: ['update (temporal_namespace, temporal_cluster, swept_at)'],
  },
  server: SERVER_WRITES,
  reader: {},
};

/** Arithmetic that looks at nothing but its arguments and the clock: it stays what the planner can take apart. */
export const PLAIN = ['countersign_now', 'utc_month', 'scope_covers', 'to_ms', 'from_ms'] as const;

/** What every role may call: reads that change nothing. They run as the owner, for they call what is nobody's. */
export const READS = [
  'door_fenced',
  'surely_absent',
  'standing_due',
  'run_facts',
  'run_people',
  'effect_facts',
  'run_chain',
  'identity_refusal',
  'agent_stopped',
  'delegation_refusal',
  'grant_facts',
  'stop_lifts',
  'pause_wanted',
  'pauses_standing',
] as const;

/** What the server may have done besides. */
const SERVER_CALLS = [
  'anomaly_add',
  'log_append',
  'log_refusal',
  'notice_add',
  'open_case',
  'door_stop',
] as const;

/** The functions that code calls, and that run as the owner; those they call in turn are nobody's to call. */
export const CALLS: Readonly<Record<RoleName, readonly string[]>> = {
  gateway: [
    ...SERVER_CALLS,
    'door_enter',
    'door_authorize',
    'door_authorize_undo',
    'door_claim',
    'door_still',
    'door_settle',
    'door_settled',
    'token_mint',
    'token_still',
    'token_due',
    'token_minted',
    'token_revoked',
    'tokens_end',
    'pause_begin',
    'pause_still',
    'pause_settle',
    'door_start_read',
    'door_record_read',
    'door_fail_absent',
    'door_rows',
    'door_close',
    'door_mark_closing',
    'door_close_row',
    'door_complete',
    'door_finish',
    'door_resume',
    'door_drained',
    'reserve_plan',
    'door_layers',
    'calls_take',
    'calls_note',
    'capture_renewal',
    'dispute_read',
    'refund_failed',
    'commitment_seen_ended',
    'finding_seen',
    'findings_gone',
    'month_begins',
    'renewals_that_fit',
    'hold_plan',
    'effects_held',
    'dispute_read',
    'refund_failed',
  ],
  server: [...SERVER_CALLS, 'door_rows', 'door_drained', 'door_layers'],
  reader: ['door_rows'],
};

const LACKS_PRIVILEGE = '42501';

/** Makes the roles that the cluster lacks; several databases of one cluster share them. @throws REQUEST_INVALID when this login may not */
export async function makeRoles(db: Database): Promise<void> {
  for (const role of Object.values(ROLES)) {
    const { rows } = await sql`select 1 from pg_roles where rolname = ${role}`.execute(db);
    if (rows.length > 0) continue;
    await sql
      .raw(
        `do $$ begin create role ${role} nologin;
         exception when duplicate_object or unique_violation then null; end $$`,
      )
      .execute(db)
      .catch((error: unknown) => {
        if (sqlState(error) !== LACKS_PRIVILEGE) throw error;
        throw new Failure(
          'REQUEST_INVALID',
          `the role ${role} is missing and this login may not make it: have an administrator run \`create role ${role} nologin\``,
        );
      });
  }
}

/**
 * Gives each role exactly what it needs in this database, and takes everything else away. Call it with the fence's lock
 * held: nobody is to meet functions that were replaced and not granted yet.
 */
export async function grantRoles(
  tx: Executor,
  {
    moveable,
  }: { /** Whether the clock may be moved: never in production. */ readonly moveable: boolean },
): Promise<void> {
  const { rows } = await sql<{ schema: string }>`select current_schema() as schema`.execute(tx);
  const schema = rows[0]?.schema ?? 'public';
  const all = Object.values(ROLES).join(', ');
  const run = (statement: string): Promise<unknown> => sql.raw(statement).execute(tx);
  await run(`grant usage on schema ${schema} to ${all}`);
  await run(`revoke all on all tables in schema ${schema} from public, ${all}`);
  await run(`revoke execute on all functions in schema ${schema} from public, ${all}`);
  await run(`grant select on all tables in schema ${schema} to ${all}`);
  for (const [name, writes] of Object.entries(WRITES))
    for (const [table, privileges] of Object.entries(writes))
      await run(`grant ${privileges.join(', ')} on ${table} to ${ROLES[name as RoleName]}`);
  if (moveable) await run(`grant update (advance_ms) on clock to ${ROLES.gateway}`);
  const asOwner = (signature: string): Promise<unknown> =>
    run(`alter function ${signature} security definer set search_path = ${schema}, pg_temp`);
  for (const signature of await triggersOf(tx)) await asOwner(signature);
  const signatures = await signaturesOf(tx);
  const named = (names: readonly string[]): string[] =>
    names.flatMap((name) => signatures.get(name) ?? []);
  for (const signature of named(READS)) await asOwner(signature);
  for (const signature of named([...PLAIN, ...READS]))
    await run(`grant execute on function ${signature} to ${all}`);
  for (const [name, calls] of Object.entries(CALLS))
    for (const signature of calls.flatMap((call) => signatures.get(call) ?? [])) {
      await asOwner(signature);
      await run(`grant execute on function ${signature} to ${ROLES[name as RoleName]}`);
    }
}

/** Triggers keep their tables whatever role has written: they run as the owner, and nobody calls them. */
async function triggersOf(tx: Executor): Promise<readonly string[]> {
  const { rows } = await sql<{ signature: string }>`
    select p.oid::regprocedure::text as signature from pg_proc p
     where p.pronamespace = current_schema()::regnamespace and p.prorettype = 'trigger'::regtype`.execute(
    tx,
  );
  return rows.map(({ signature }) => signature);
}

/** Functions of our schema: name to signatures. */
async function signaturesOf(tx: Executor): Promise<ReadonlyMap<string, readonly string[]>> {
  const { rows } = await sql<{ name: string; signature: string }>`
    select p.proname as name, p.oid::regprocedure::text as signature
      from pg_proc p where p.pronamespace = current_schema()::regnamespace`.execute(tx);
  const byName = new Map<string, string[]>();
  for (const { name, signature } of rows)
    byName.set(name, [...(byName.get(name) ?? []), signature]);
  return byName;
}

const LOGIN = /^[a-z_][a-z0-9_]{0,62}$/;

/**
 * Makes the login that a URL names, with the password it names, a member of the gateway's role: what the processes of
 * ours connect as. @throws REQUEST_INVALID when the URL names no login that could be made
 */
export async function ensureLogin(owner: Database, url: string): Promise<void> {
  const { password, username } = new URL(url);
  const login = decodeURIComponent(username);
  if (!LOGIN.test(login) || password === '')
    throw new Failure(
      'REQUEST_INVALID',
      'COUNTERSIGN_DATABASE_URL names no user (lower-case letters, digits, _) with a password that could be made a login',
    );
  const quoted = sql.lit(decodeURIComponent(password));
  const { rows } = await sql`select 1 from pg_roles where rolname = ${login}`.execute(owner);
  const verb = rows.length > 0 ? 'alter' : 'create';
  await sql`${sql.raw(`${verb} role ${login} login`)} password ${quoted}`.execute(owner);
  await sql.raw(`grant ${ROLES.gateway} to ${login}`).execute(owner);
}

/** Whether this login could change what only a migration may: it owns our tables, or passes every check. */
export async function isOwner(db: Executor): Promise<boolean> {
  const { rows } = await sql<{ owns: boolean }>`
    select (select r.rolsuper from pg_roles r where r.rolname = current_user)
        or pg_has_role(current_user, (select c.relowner from pg_class c where c.oid = 'log'::regclass), 'member')
      as owns`.execute(db);
  return rows[0]?.owns === true;
}

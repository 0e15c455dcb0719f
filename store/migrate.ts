import { createHash, randomBytes } from 'node:crypto';
import { Migrator, sql, type Kysely, type Migration } from 'kysely';
import { connect, type Database, type Executor } from './connect.js';
import { tables } from './migrations/0001-tables.js';
import { effectTables } from './migrations/0002-effects.js';
import { clockAndTriggers } from './migrations/0003-clock-and-triggers.js';
import { doorFunctions } from './door-sql/door.js';
import { erasablePrincipals } from './migrations/0005-erasable-principals.js';
import { signedPolicies } from './migrations/0006-signed-policies.js';
import { counts } from './migrations/0007-counts.js';
import { whatIsOurs } from './migrations/0007-what-is-ours.js';
import { tightenedDoor } from './migrations/0008-tightened-door.js';
import { stopMode } from './migrations/0009-stop-mode.js';
import { notices } from './migrations/0010-notices.js';
import { identity } from './migrations/0020-identity.js';
import { registerChanges } from './migrations/0021-register-changes.js';
import { webhookEvents } from './migrations/0030-webhook-events.js';
import { http } from './migrations/0031-http.js';
import { swept } from './migrations/0032-swept.js';
import { providerTokens } from './migrations/0080-provider-tokens.js';
import { credentialStates } from './migrations/0081-credential-states.js';
import { casesToAct } from './migrations/0060-cases.js';
import { deliveries } from './migrations/0050-deliveries.js';
import { gateMoments } from './migrations/0050-gate-moments.js';
import { breakGlass } from './migrations/0051-break-glass.js';
import { moneyOverTime } from './migrations/0061-money-over-time.js';
import { closedAt } from './migrations/0070-closed-at.js';
import { passkeys } from './migrations/0040-passkeys.js';
import { stopLayers } from './migrations/0090-stop-layers.js';
import { grantRoles, makeRoles } from './roles.js';
import { moneyBack } from './migrations/0071-money-back.js';
import { anomalies } from './migrations/0100-anomalies.js';
import { teardown } from './migrations/0110-teardown.js';
import { calls } from './migrations/0091-calls.js';
import { triggersThatLookFirst } from './migrations/0111-triggers-that-look-first.js';
import { signedLifts } from './migrations/0119-signed-lifts.js';
import { rootPins } from './migrations/0120-root-pins.js';
import { liftWords } from './migrations/0121-lift-words.js';
import { retiredThenLost } from './migrations/0122-retired-then-lost.js';
import { subscriptionPauses } from './migrations/0105-subscription-pauses.js';
import type { InstanceMode, Row } from './schema.js';

const migration = (text: string): Migration => ({
  up: async (db: Kysely<never>) => {
    await sql.raw(text).execute(db);
  },
});

/** In order, forward only. A name, once released, never changes its text. */
const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001-tables': migration(tables),
  '0002-effects': migration(effectTables),
  '0003-clock-and-triggers': migration(clockAndTriggers),
  // The door's functions are not migrated: see `replaceDoor`.
  '0004-door': migration('select 1'),
  '0005-erasable-principals': migration(erasablePrincipals),
  '0006-signed-policies': migration(signedPolicies),
  '0007-counts': migration(counts),
  '0007-what-is-ours': migration(whatIsOurs),
  '0008-tightened-door': migration(tightenedDoor),
  '0009-stop-mode': migration(stopMode),
  '0010-notices': migration(notices),
  '0020-identity': migration(identity),
  '0021-register-changes': migration(registerChanges),
  '0030-webhook-events': migration(webhookEvents),
  '0031-http': migration(http),
  '0032-swept': migration(swept),
  '0080-provider-tokens': migration(providerTokens),
  '0081-credential-states': migration(credentialStates),
  '0060-cases': migration(casesToAct),
  '0050-deliveries': migration(deliveries),
  '0050-gate-moments': migration(gateMoments),
  '0051-break-glass': migration(breakGlass),
  '0061-money-over-time': migration(moneyOverTime),
  '0070-closed-at': migration(closedAt),
  '0040-passkeys': migration(passkeys),
  '0090-stop-layers': migration(stopLayers),
  '0071-money-back': migration(moneyBack),
  '0100-anomalies': migration(anomalies),
  '0091-calls': migration(calls),
  '0111-triggers-that-look-first': migration(triggersThatLookFirst),
  '0119-signed-lifts': migration(signedLifts),
  '0120-root-pins': migration(rootPins),
  '0121-lift-words': migration(liftWords),
  '0122-retired-then-lost': migration(retiredThenLost),
  '0105-subscription-pauses': migration(subscriptionPauses),
  '0110-teardown': migration(teardown),
};

export interface MigrateOptions {
  /** `production` (unless told otherwise): its clock cannot be moved. Fixed at the first migrate. */
  readonly mode?: InstanceMode;
}

/**
 * Brings the control database to the newest schema and draws the instance id at the first run; several at
 * once are safe. Throws what the migrator reports.
 */
export async function migrate(url: string, options: MigrateOptions = {}): Promise<Row<'instance'>> {
  const db = connect(url, { max: 2, statementTimeoutMs: 120_000 });
  try {
    return await migrateDatabase(db, options);
  } finally {
    await db.destroy();
  }
}

async function migrateDatabase(db: Database, options: MigrateOptions): Promise<Row<'instance'>> {
  const migrator = new Migrator({
    db,
    provider: { getMigrations: () => Promise.resolve({ ...MIGRATIONS }) },
  });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined)
    throw error instanceof Error ? error : new Error('the migration failed', { cause: error });
  await db
    .insertInto('instance')
    .values({ id: randomBytes(16).toString('hex'), mode: options.mode ?? 'production' })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const row = await readInstance(db);
  if (options.mode !== undefined && row.mode !== options.mode)
    throw new Error(
      `this database belongs to ${row.mode === 'production' ? 'a' : 'an'} ${row.mode} instance and cannot serve as ${options.mode}: use another database`,
    );
  await makeRoles(db);
  // Under the fence's lock, so that no sender meets half a door, or one that was not granted to it yet.
  await db.transaction().execute(async (tx) => {
    await sql`select pg_advisory_xact_lock(7001)`.execute(tx);
    await replaceDoor(tx);
    await grantRoles(tx, { moveable: row.mode === 'embedded' });
  });
  return readInstance(db);
}

/** Puts the door's functions of this version in place, where those of another one stand: they are replaced whole. */
async function replaceDoor(tx: Executor): Promise<void> {
  const digest = createHash('sha256').update(doorFunctions).digest('hex');
  const { door_digest: standing } = await tx
    .selectFrom('instance')
    .select('door_digest')
    .executeTakeFirstOrThrow();
  if (standing === digest) return;
  const names = [...doorFunctions.matchAll(/^create function (\w+)\(/gm)].map(([, name]) => name);
  const { rows } = await sql<{ signature: string }>`
    select p.oid::regprocedure::text as signature from pg_proc p
     where p.pronamespace = current_schema()::regnamespace and p.proname = any(${names})`.execute(
    tx,
  );
  for (const { signature } of rows) await sql.raw(`drop function ${signature}`).execute(tx);
  for (const [, type] of doorFunctions.matchAll(/^create type (\w+)/gm))
    await sql`drop type if exists ${sql.ref(type ?? '')}`.execute(tx);
  await sql.raw(doorFunctions).execute(tx);
  await tx.updateTable('instance').set({ door_digest: digest }).execute();
}

/** The row of this instance: id, mode, and the Temporal it belongs to. */
export async function readInstance(db: Database): Promise<Row<'instance'>> {
  return db.selectFrom('instance').selectAll().executeTakeFirstOrThrow();
}

import type { NativeConnection } from '@temporalio/worker';
import { UnreachableError, UsageError } from '../config/errors.js';
import { foreignRootsError } from '../config/trust.js';
import { SEARCH_ATTRIBUTE_TYPES } from '../domain/search-attributes.js';
import type { Database } from '../store/connect.js';
import { readInstance } from '../store/migrate.js';
import { currentPolicy } from '../store/policies.js';
import { isOwner } from '../store/roles.js';
import { pinRoots } from '../gateway/root-pins.js';
import type { Parts } from '../gateway/parts.js';
import type { Row } from '../store/schema.js';
import { rememberTemporal } from '../store/sweep-rows.js';
import { databaseClock } from '../store/clock.js';

/** @throws UsageError naming each missing attribute and the command that registers it */
export async function checkSearchAttributes(
  connection: NativeConnection,
  namespace: string,
): Promise<void> {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  const missing = Object.entries(SEARCH_ATTRIBUTE_TYPES).filter(
    ([name]) => !(name in customAttributes),
  );
  if (missing.length === 0) return;
  const command = missing.map(([name, type]) => `--name ${name} --type ${type}`).join(' ');
  throw new UsageError({
    what: `the search attributes ${missing.map(([name]) => name).join(', ')} are not registered`,
    where: `Temporal namespace ${namespace}`,
    remedy: `Run: temporal operator search-attribute create --namespace ${namespace} ${command}`,
  });
}

const SKEW_MAX_MS = 2_000;

/**
 * The control database: migrated, in production not ours to own, a policy in force, a clock within 2 s of ours, and the
 * same Temporal as before.
 * A database that meets another cluster would start repairs for runs that it cannot see.
 */
export async function checkDatabase(
  db: Database,
  connection: NativeConnection,
  namespace: string,
): Promise<Row<'instance'>> {
  const instance = await readInstance(db).catch(() => {
    throw new UnreachableError({
      what: 'the control database does not answer, or was never migrated',
      remedy: 'Start it, then run `countersign migrate`',
    });
  });
  if (instance.mode === 'production' && (await isOwner(db)))
    throw new UsageError({
      what: 'this process would own the control database, and could undo what only a migration may touch',
      remedy:
        'Give it a login of its own: run `countersign migrate` with COUNTERSIGN_OWNER_DATABASE_URL set beside COUNTERSIGN_DATABASE_URL',
    });
  const { clusterId } = await connection.workflowService.getClusterInfo({});
  const known = await rememberTemporal(db, { namespace, cluster: clusterId });
  if (known.namespace !== namespace || known.cluster !== clusterId)
    throw new UsageError({
      what: `this control database belongs to Temporal ${known.namespace} of another cluster`,
      where: `namespace ${namespace}, cluster ${clusterId}`,
      remedy: 'Point the worker at the Temporal it was started with, or use another database',
    });
  const before = Date.now();
  const theirs = (await databaseClock(db)).getTime();
  const skew = Math.abs(theirs - (before + Date.now()) / 2);
  if (skew > SKEW_MAX_MS)
    throw new UsageError({
      what: `the clocks of this machine and of the control database differ by ${Math.round(skew)} ms`,
      remedy: 'Synchronise both (NTP); more than 2,000 ms is refused',
    });
  if ((await currentPolicy(db)) === undefined)
    throw new UsageError({
      what: 'no policy is in force, so everything would be denied',
      remedy:
        instance.mode === 'production'
          ? 'Have two persons with pinned root keys sign the first: countersign policy activate FILE --key FILE --key FILE'
          : 'Run `countersign migrate` for the built-in one',
    });
  return instance;
}

/**
 * The pinned root keys: those that this installation was opened with, or others that the operator takes on by name.
 * Answers what the operator is to be told. @throws UsageError
 */
export async function checkRoots(
  parts: Pick<Parts, 'db' | 'door' | 'trust'>,
  of: { readonly recover: boolean },
): Promise<string | undefined> {
  const pinned = await pinRoots(parts, of);
  if (pinned.kind === 'foreign') throw foreignRootsError(pinned.foreign);
  return pinned.kind === 'recovered'
    ? 'opened with other root keys: everything is held. Their persons enrol, sign a policy, and lift it with `countersign resume --all`'
    : undefined;
}

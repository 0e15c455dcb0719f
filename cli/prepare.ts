import { createPublicKey } from 'node:crypto';
import { readPrivateFile } from '../config/private-files.js';
import { secretFile } from '../config/secrets.js';
import { canonicalize } from '../domain/canonical.js';
import { builtInPolicy } from '../domain/policy/built-in.js';
import { policyDigestOf } from '../domain/policy/schema.js';
import { keyIdOf } from '../domain/signature.js';
import { connect, type Database } from '../store/connect.js';
import { migrate } from '../store/migrate.js';
import { ensureLogin } from '../store/roles.js';
import { addServiceKey } from '../store/people.js';
import { activatePolicy, currentPolicy } from '../store/policies.js';
import { LOCAL_SERVICE } from './context.js';

/** One database, as its owner and as the login of our processes; the same twice where nobody has told them apart. */
export interface DatabaseUrls {
  readonly ownerUrl: string;
  readonly url: string;
}

/** Brings the database to the newest schema and lets the login of our processes in. Answers the instance's id. */
export async function prepareDatabase(
  { ownerUrl, url }: DatabaseUrls,
  mode: 'embedded' | 'production',
): Promise<string> {
  const { id } = await migrate(ownerUrl, { mode });
  if (url === ownerUrl) return id;
  const owner = connect(ownerUrl, { max: 1 });
  try {
    await ensureLogin(owner, url);
  } finally {
    await owner.destroy();
  }
  return id;
}

/**
 * Migrates the database of an embedded instance, puts the built-in policy in force if there is none, and registers
 * the command line of the data folder as a service, if the folder has its key. Answers the instance's id.
 */
export async function prepareEmbedded(urls: DatabaseUrls, dataDir: string): Promise<string> {
  const id = await prepareDatabase(urls, 'embedded');
  const db = connect(urls.url, { max: 2 });
  try {
    await activateBuiltIn(db);
    const pem = readPrivateFile(secretFile(dataDir, 'serviceKey'));
    if (pem !== undefined) await registerLocalService(db, pem);
  } finally {
    await db.destroy();
  }
  return id;
}

const BUILT_IN = 'built-in';

async function activateBuiltIn(db: Database): Promise<void> {
  // A newer version of the product may bring a newer built-in policy; what a person has activated stays.
  const current = await currentPolicy(db);
  if (current !== undefined && current.activated_by !== BUILT_IN) return;
  const policy = builtInPolicy({ solo: true });
  await activatePolicy(db, {
    digest: policyDigestOf(policy),
    document: canonicalize(policy),
    activatedBy: BUILT_IN,
  });
}

/** The command line of this folder may ask for any run: it acts for the one person whose machine this is. */
async function registerLocalService(db: Database, pem: string): Promise<void> {
  const publicKey = createPublicKey(pem).export({ format: 'jwk' }).x ?? '';
  await db.transaction().execute((tx) =>
    addServiceKey(tx, {
      keyId: keyIdOf(Buffer.from(publicKey, 'base64url')),
      service: LOCAL_SERVICE,
      publicKey,
      agents: ['*'],
      principals: ['*'],
      environments: ['*'],
    }),
  );
}

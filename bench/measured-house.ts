import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sql } from 'kysely';
import { cacheFolder, processVariables } from '../config/environment.js';
import type { Policy } from '../domain/policy/schema.js';
import { freePort } from '../embedded/ports.js';
import { asApplication, postgresHome, startPostgres } from '../embedded/postgres.js';
import { addPrincipal } from '../store/people.js';
import { openHouse } from '../test/gateway/house.js';
import type { House } from '../test/gateway/house.js';
import { trialPolicy } from '../test/helpers/trial-policy.js';

const LARGE = '900000.00 USD';

/** The built-in policy with room for everything that is measured. */
export const roomyPolicy = (override: Partial<Policy> = {}): Policy =>
  trialPolicy({
    override: {
      caps: {
        organisation: LARGE,
        principal: LARGE,
        agent: LARGE,
        provider: LARGE,
        principalProvider: LARGE,
        run: LARGE,
      },
      counts: { operationsPerRun: 20, openRunsPerAgent: 1000, runsPerHour: 1000 },
      ...override,
    },
  });

/** A gateway over a scripted provider and a PostgreSQL of its own, which is gone afterwards. */
export async function inMeasuredHouse<T>(
  policy: Policy,
  body: (house: House) => Promise<T>,
): Promise<T> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'countersign-bench-'));
  const password = randomBytes(18).toString('base64url');
  // Durable, unlike the tests' own: what a commit to disk takes is the larger part of what is measured.
  const postgres = await startPostgres({
    dataDir,
    cacheDir: cacheFolder(processVariables()),
    port: await freePort(),
    password,
  });
  try {
    const database = {
      url: postgres.url,
      applicationUrl: asApplication(postgres.url, password),
      drop: () => Promise.resolve(),
    };
    const house = await openHouse(policy, () => Promise.resolve(database));
    try {
      return await body(house);
    } finally {
      await house.close();
    }
  } finally {
    await postgres.stop();
    rmSync(postgresHome(dataDir, password), { recursive: true, force: true });
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** Each run is for a customer of its own: what one of them has, another run of theirs would adopt. */
export async function newPrincipal({ db, service }: House, i: number): Promise<string> {
  const principal = `pr_bench_${i}`;
  const email = `bench-${i}@example.com`;
  await db
    .transaction()
    .execute((tx) => addPrincipal(tx, { principalId: principal, name: principal, email }));
  await db
    .updateTable('service_keys')
    .set({ principals: sql`array_append(principals, ${principal}::text)` })
    .where('key_id', '=', service.keyId)
    .execute();
  return principal;
}

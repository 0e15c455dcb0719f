import { chmodSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import {
  credentialFileChecks,
  productionChecks,
  tokenChecks,
} from '../../cli/doctor-credentials.js';
import { loadConfig } from '../../config/load.js';
import { openSecrets } from '../../config/secrets.js';
import { noteCredentials } from '../../store/credential-states.js';
import { openScratch, seedRun } from '../door/seed.js';
import type { Scratch } from '../door/seed.js';

let scratch: Scratch;
let folder: string;
beforeAll(async () => {
  scratch = await openScratch();
  folder = mkdtempSync(path.join(tmpdir(), 'countersign-doctor-'));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await scratch.close();
});

const ROLES = ['actions', 'compensations', 'reads'];
const DAY_MS = 24 * 3_600_000;

function live() {
  const files = (provider: string): string =>
    ROLES.map((role) => {
      const file = path.join(folder, `${provider}-${role}`);
      writeFileSync(file, `value of ${provider} ${role}`, { mode: 0o600 });
      return `${role}: ${file}`;
    }).join(', ');
  writeFileSync(
    path.join(folder, 'countersign.config.yaml'),
    `mode: production\nproviders: live\ncredentials:\n  stripe: { ${files('stripe')} }\n  cloudflare: { ${files('cloudflare')} }\n`,
  );
  return loadConfig({
    env: { HOME: folder, COUNTERSIGN_LIVE: '1' },
    cwd: folder,
    args: { data: path.join(folder, 'data') },
  });
}

const wrong = (checks: readonly { name: string; ok: boolean; says: string }[]) =>
  checks.filter(({ ok }) => !ok).map(({ name, says }) => `${name}: ${says}`);

test('every key has its age; one that is due, open to others, empty or shared is wrong', () => {
  const config = live();
  openSecrets(config.dataDir);
  expect(wrong(credentialFileChecks(config))).toEqual([]);
  expect(credentialFileChecks(config).map(({ name }) => name)).toEqual(
    expect.arrayContaining(['stripe actions', 'cloudflare reads', 'checkpoint-key.pem']),
  );
  const file = (name: string): string => path.join(folder, name);
  const old = new Date(Date.now() - 91 * DAY_MS);
  utimesSync(file('stripe-actions'), old, old);
  chmodSync(file('stripe-reads'), 0o644);
  writeFileSync(file('cloudflare-reads'), '');
  writeFileSync(file('cloudflare-compensations'), 'value of cloudflare actions');
  const said = wrong(credentialFileChecks(config));
  expect(said).toHaveLength(4);
  expect(said[0]).toMatch(/stripe actions: written .* due, rotate it/);
  expect(said[1]).toMatch(/stripe reads: .*open to other users/);
  expect(said[2]).toMatch(/cloudflare reads: .*missing or empty/);
  expect(said[3]).toMatch(/cloudflare actions and cloudflare compensations are the same/);
  expect(JSON.stringify(credentialFileChecks(config))).not.toContain('value of');
});

test('a credential that is not taken into use, and a token left over, are wrong', async () => {
  const { db } = scratch;
  await noteCredentials(db, 'worker all 1', [
    { name: 'stripe reads', fingerprint: 'a'.repeat(12), since: new Date(), problem: undefined },
    { name: 'stripe actions', fingerprint: 'b'.repeat(12), since: new Date(), problem: 'refused' },
  ]);
  expect(wrong(await tokenChecks(db))).toEqual(['in use: stripe actions of worker all 1: refused']);
  const { runId } = await seedRun(scratch, [], 'doctor');
  await sql`insert into provider_tokens (token_id, run_id, class, purpose, account, name, effect_id,
      sender, state, created_at, send_by, settling_ms, expires_at)
    values ('t', ${runId}, 'actions', 'dns', 'a', 'left/over', 'e', 's', 'due', countersign_now(),
      countersign_now() - interval '2 hours', 0, countersign_now() + interval '1 minute')`.execute(
    db,
  );
  expect(wrong(await tokenChecks(db))[1]).toMatch(/minted tokens: left over: left\/over/);
});

test('production: what is missing is named with what mends it', async () => {
  const said = wrong(await productionChecks(live(), scratch.db));
  expect(said.map((line) => line.split(':')[0])).toEqual([
    'Temporal over TLS',
    'Temporal namespace',
    'database over TLS',
    'root keys',
    'token encryption key',
    'database role',
  ]);
});

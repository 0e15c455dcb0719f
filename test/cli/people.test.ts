import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { drawBootstrapCode } from '../../cli/bootstrap-code.js';
import { prepareEmbedded } from '../../cli/prepare.js';
import { newKeyFile } from '../../client/keys.js';
import { databaseNow } from '../../store/clock.js';
import { connect, type Database } from '../../store/connect.js';
import { freshDatabase, type FreshDatabase } from '../helpers/database.js';
import { callCli, type Outcome } from './run-in-process.js';

const PASSPHRASE = 'tide and barnacle 7';
const ISS = 'https://login.example.com';
const BY_ADA = ['--key', 'ada.json'];
let folder: string;
let database: FreshDatabase;
let db: Database;

const call = (line: string | readonly string[], typed?: readonly string[]): Promise<Outcome> =>
  callCli(typeof line === 'string' ? line.split(' ') : line, {
    cwd: folder,
    variables: {
      HOME: folder,
      COUNTERSIGN_DATA: path.join(folder, 'data'),
      COUNTERSIGN_DATABASE_URL: database.applicationUrl,
    },
    ...(typed === undefined ? {} : { typed }),
  });
/** What a call says that has to succeed. */
const said = async (line: string, signed = false): Promise<string> => {
  const outcome = signed
    ? await call([...line.split(' '), ...BY_ADA], [PASSPHRASE])
    : await call(line);
  expect(outcome).toMatchObject({ exitCode: 0, err: '' });
  return outcome.out;
};
const json = async (line: string): Promise<unknown> => JSON.parse(await said(`${line} --json`));

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'countersign-people-'));
  mkdirSync(path.join(folder, 'data/secrets'), { recursive: true, mode: 0o700 });
  database = await freshDatabase();
  const urls = { ownerUrl: database.url, url: database.applicationUrl };
  await prepareEmbedded(urls, path.join(folder, 'data'));
  db = connect(database.url);
  await newKeyFile(path.join(folder, 'ada.json'), PASSPHRASE);
  const code = drawBootstrapCode(path.join(folder, 'data'), (await databaseNow(db)).getTime());
  const first = await call(`keys enrol ada.json --name Ada --code ${code}`, [PASSPHRASE]);
  expect(first.exitCode).toBe(0);
  await said('principals add owner@example.com');
}, 120_000);

afterAll(async () => {
  await db.destroy();
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

test('a person is added, linked, taken out and brought back, and each is shown', async () => {
  expect(await said('people add p_eve --name Eve --group viewers', true)).toBe(
    'p_eve is registered.\n',
  );
  expect(await said(`people link p_eve --iss ${ISS} --sub 00u1`, true)).toBe(
    `p_eve signs in as 00u1 at ${ISS} from now on.\n`,
  );
  expect(await said('people show p_eve')).toMatchInlineSnapshot(`
    "p_eve Eve
      state     active
      groups    viewers
      keys      none
      accounts  00u1 at https://login.example.com
      agents    none
    "
  `);
  expect(await said(`people unlink p_eve --iss ${ISS} --sub 00u1`)).toContain(
    'is nobody’s any more',
  );
  expect(await json('people show p_eve')).toMatchObject({
    person: { person_id: 'p_eve', groups: ['viewers'], active: true },
    accounts: [{ iss: ISS, sub: '00u1', void_reason: 'unlinked' }],
    agents: [],
  });
  expect(await said('people deactivate p_eve --reason left')).toContain('not active any more');
  expect(await said('people list')).toMatch(/p_eve +Eve +viewers +no key +not active/);
  expect((await call('people deactivate p_eve --reason left')).exitCode).toBe(2);
  expect(await said('people reactivate p_eve', true)).toBe('p_eve is active again.\n');
  const { message } = await db
    .selectFrom('register_changes')
    .select('message')
    .where('kind', '=', 'reactivate-person')
    .executeTakeFirstOrThrow();
  expect(JSON.parse(message)).toMatchObject({ by: 'p_ada', signature: { kind: 'ed25519' } });
});

test('what the terminal shows before it asks for the passphrase is the very change that is signed', async () => {
  const { seen, exitCode } = await call(
    ['people', 'add', 'p_kim', '--name', 'Kim', ...BY_ADA],
    [PASSPHRASE],
  );
  expect(exitCode).toBe(0);
  expect(seen).toContain('{"kind":"add-person","person":"p_kim","name":"Kim","groups":[]}');
  expect(seen).toContain('is signed by p_ada.');
});

test('a change that does not count ends with the reason and exit 1, and changes nothing', async () => {
  const again = await call(['people', 'add', 'p_kim', '--name', 'Kim', ...BY_ADA], [PASSPHRASE]);
  expect(again).toMatchObject({ exitCode: 1, out: '' });
  expect(again.err).toMatch(/^countersign: nothing was changed: it is registered already/);
});

test('an agent is added, allowed, suspended, resumed, owned, rotated and removed', async () => {
  expect(await said('agents add shop-agent --owner p_ada')).toContain('shop-agent');
  await said('agents add outer-agent --owner p_ada', true);
  const allowed =
    'agents allow shop-agent --principal owner@example.com --environment staging --via outer-agent';
  expect(await said(allowed)).toMatch(/^shop-agent may ask for staging on behalf of pr_/);
  expect(await said(`agents rotate shop-agent --iss ${ISS} --sub client-1`)).toContain('client-1');
  expect(await said(`agents rotate shop-agent --iss ${ISS} --sub client-2`, true)).toContain(
    'by nothing else',
  );
  const principal = (
    await db.selectFrom('principals').select('principal_id').executeTakeFirstOrThrow()
  ).principal_id;
  expect((await said('agents show shop-agent')).replace(principal, 'PRINCIPAL'))
    .toMatchInlineSnapshot(`
    "shop-agent
      owner             p_ada
      state             active
      credentials       client-2 at https://login.example.com
      by its own token  staging, for PRINCIPAL
      acts for          outer-agent
    "
  `);
  expect(await json('agents show shop-agent')).toMatchObject({
    agent: { environments: ['staging'], principals: [principal], via: ['outer-agent'] },
    accounts: [
      { sub: 'client-1', void_reason: 'rotated' },
      { sub: 'client-2', void_at: null },
    ],
  });
  expect(await said('agents allow shop-agent --nothing')).toContain('may ask for nothing');
  expect(await json('agents show shop-agent')).toMatchObject({
    agent: { environments: [], principals: [], via: [] },
  });
  await said(allowed.replace('staging', '*'), true);
  await said('agents off shop-agent');
  expect(await said('agents list')).toMatch(/shop-agent +p_ada +off/);
  expect(await said('agents on shop-agent', true)).toBe('shop-agent may start runs again.\n');
  expect(await said('agents suspend shop-agent --reason strange')).toContain('starts nothing');
  expect(await said('agents list')).toMatch(/shop-agent +p_ada +suspended/);
  expect(await said('agents resume shop-agent', true)).toContain('shop-agent');
  expect(await said('agents own shop-agent --owner p_kim', true)).toBe(
    'p_kim answers for shop-agent from now on.\n',
  );
  expect(await said('people deactivate p_kim --reason left')).toContain(
    'Nobody answers for shop-agent now',
  );
  expect(await said('agents remove shop-agent --reason replaced')).toContain('for good');
  expect((await call('agents resume shop-agent')).exitCode).toBe(2);
  expect(await json('agents show shop-agent')).toMatchObject({
    agent: { state: 'removed' },
    accounts: [{}, { sub: 'client-2', void_reason: 'the agent was removed' }],
  });
});

test('a delegation is given, listed and revoked', async () => {
  const add = 'delegations add --agent outer-agent --until 2099-01-31 --step register-domain';
  const given = await call(
    [...add.split(' '), '--ceiling', '60.00 USD', '--json', ...BY_ADA],
    [PASSPHRASE],
  );
  expect(given).toMatchObject({ exitCode: 0 });
  const { delegation } = JSON.parse(given.out) as { delegation: string };
  const row = new RegExp(
    `${delegation} +p_ada +outer-agent +register-domain +60\\.00 USD +2099-01-31T23:59:59\\.999Z +live`,
  );
  expect(await said('delegations list')).toMatch(row);
  expect(await said(`delegations revoke ${delegation}`)).toContain('is revoked');
  expect((await call(`delegations revoke ${delegation}`)).exitCode).toBe(2);
  expect(await json('delegations list')).toMatchObject({
    delegations: [{ delegation_id: delegation, ceiling_minor: 6000, revoked_by: 'operator' }],
  });
});

test('a service key is made and revoked, with a signature where one is given, and its account linked', async () => {
  const made = 'services new s_web --agent outer-agent --principal * --environment staging';
  expect(await said(`${made} --file web.json`)).toContain('Registered s_web');
  expect(await said(`${made} --file signed.json`, true)).toContain('Registered s_web');
  expect(statSync(path.join(folder, 'signed.json')).mode & 0o777).toBe(0o600);
  const kinds = await db.selectFrom('register_changes').select('kind').execute();
  expect(kinds.filter(({ kind }) => kind === 'add-service')).toHaveLength(1);
  const strange = made.replace('outer-agent', 'no-agent').split(' ');
  const refused = await call([...strange, '--file', 'not.json', ...BY_ADA], [PASSPHRASE]);
  expect(refused).toMatchObject({ exitCode: 1, err: expect.stringContaining('no such agent') });
  expect(existsSync(path.join(folder, 'not.json'))).toBe(false);
  await said(`services link s_web --iss ${ISS} --sub web`, true);
  await said(`services unlink s_web --iss ${ISS} --sub web`);
  const { services } = (await json('services list')) as {
    services: { key_id: string; service_id: string }[];
  };
  const keys = services.filter(({ service_id }) => service_id === 's_web');
  expect(keys).toHaveLength(2);
  for (const { key_id: key } of keys) await said(`services revoke ${key} --reason retired`);
  expect(await said('services list')).toMatch(/s_web .* revoked/);
});

test('in production nothing that gives power goes without a key', async () => {
  const variables = {
    HOME: folder,
    COUNTERSIGN_DATA: path.join(folder, 'data'),
    COUNTERSIGN_DATABASE_URL: database.applicationUrl,
  };
  writeFileSync(path.join(folder, 'production.yaml'), 'mode: production\n');
  for (const line of [
    'agents add new-agent --owner p_ada',
    'agents allow outer-agent --principal * --environment *',
    'agents own outer-agent --owner p_ada',
    'agents on outer-agent',
    `agents rotate outer-agent --iss ${ISS} --sub client-9`,
    'services new s_prod --file prod.json --agent outer-agent --principal * --environment *',
    `services link s_web --iss ${ISS} --sub web-2`,
  ]) {
    const args = [...line.split(' '), '--config', 'production.yaml'];
    const outcome = await callCli(args, { cwd: folder, variables });
    expect(outcome).toMatchObject({
      exitCode: 2,
      err: expect.stringContaining('--key names no key file'),
    });
  }
  expect(existsSync(path.join(folder, 'prod.json'))).toBe(false);
});

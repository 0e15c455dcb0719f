import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { drawBootstrapCode } from '../../cli/bootstrap-code.js';
import { newKeyFile } from '../../client/keys.js';
import { decodeBase64url } from '../../domain/base64url.js';
import { canonicalize, digestOf } from '../../domain/canonical.js';
import { readDecision } from '../../domain/decide.js';
import type { CardDocument, Ed25519Signature, GateDocument } from '../../domain/documents.js';
import { policyDigestOf } from '../../domain/policy/schema.js';
import { requestDigestOf } from '../../domain/request.js';
import { verifyStatement } from '../../domain/signature.js';
import { insertRun } from '../../store/admissions.js';
import { databaseNow } from '../../store/clock.js';
import { connect, type Database } from '../../store/connect.js';
import { migrate } from '../../store/migrate.js';
import { activatePolicy } from '../../store/policies.js';
import { revokeKey } from '../../store/revocation.js';
import { policy, requestWith } from '../domain/fixtures.js';
import { freshDatabase, type FreshDatabase } from '../helpers/database.js';
import { gateOf } from './gate-fixture.js';
import { callCli, type Call, type Outcome } from './run-in-process.js';

const PASSPHRASE = 'tide and barnacle 7';
let folder: string;
let database: FreshDatabase;
let db: Database;
let instance: string;
let code: string;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'countersign-approve-'));
  mkdirSync(path.join(folder, 'data/secrets'), { recursive: true, mode: 0o700 });
  database = await freshDatabase();
  instance = (await migrate(database.url, { mode: 'embedded' })).id;
  db = connect(database.url);
  await activatePolicy(db, {
    digest: policyDigestOf(policy),
    document: canonicalize(policy),
    activatedBy: 'test',
  });
  for (const name of ['ada', 'bob'])
    await newKeyFile(path.join(folder, `${name}.json`), PASSPHRASE);
});

afterAll(async () => {
  await db.destroy();
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

const call = (args: readonly string[], typed?: readonly string[]): Promise<Outcome> => {
  const variables = {
    HOME: folder,
    COUNTERSIGN_DATA: path.join(folder, 'data'),
    COUNTERSIGN_DATABASE_URL: database.url,
  };
  const common: Call = { cwd: folder, variables };
  return callCli(args, typed === undefined ? common : { ...common, typed });
};

/** Opens a gate as the gateway's rows have it, of this installation; `spoil` alters what is stored. */
async function openGate(
  name: string,
  runId: string,
  spoil: (of: { document: string; card: string }) => { document: string; card: string } = (of) =>
    of,
): Promise<void> {
  const made = gateOf(name);
  const card: CardDocument = { ...made.card, instance, runId };
  const gate: GateDocument = {
    ...made.gate,
    instance,
    runId,
    gateId: `provision/${runId}:${name}:1`,
    cardDigest: digestOf(card),
  };
  await insertRun(db, {
    runId,
    request: canonicalize(requestWith()),
    requestDigest: requestDigestOf(requestWith()),
    requester: 's_local',
    agent: 'launch-agent',
    owner: 'p_owner',
    chain: [{ agent: 'launch-agent', owner: 'p_owner' }],
    principal: 'pr_owner',
    environment: 'production',
    domain: 'superseal.club',
    budgetMinor: 6_000,
    currency: 'USD',
    operationsMax: 20,
  });
  const stored = spoil({ document: canonicalize(gate), card: canonicalize(card) });
  const now = await databaseNow(db);
  await db
    .insertInto('gates')
    .values({
      gate_id: gate.gateId,
      run_id: runId,
      gate: name,
      revision: 1,
      plan_revision: 1,
      ...stored,
      digest: digestOf(gate),
      card_digest: digestOf(card),
      actions: gate.actions,
      policy_version: 1,
      reason: null,
      closed_by: null,
      opened_at: now,
      expires_at: new Date(now.getTime() + 86_400_000),
      closed_at: null,
    })
    .execute();
}

describe('the first person', () => {
  const enrol = (given: string): Promise<Outcome> =>
    call(['keys', 'enrol', 'ada.json', '--name', 'Ada', '--code', given], [PASSPHRASE]);

  beforeEach(async () => {
    code = drawBootstrapCode(path.join(folder, 'data'), (await databaseNow(db)).getTime());
  });

  test('has five tries at the code, and the right one comes too late afterwards', async () => {
    for (const left of ['4 tries are', '3 tries are', '2 tries are', 'one try is', 'no try is'])
      expect(await enrol('wrong')).toMatchObject({
        exitCode: 2,
        err: expect.stringContaining(`${left} left`),
      });
    expect((await enrol(code)).err).toContain('no longer good');
  });

  test('has fifteen minutes', async () => {
    const then = (await databaseNow(db)).getTime() - 15 * 60_000 - 1_000;
    const old = drawBootstrapCode(path.join(folder, 'data'), then);
    expect((await enrol(old)).err).toContain('no longer good');
  });

  test('enrols once; from then on an enrolled person has to vouch', async () => {
    expect(await enrol(code)).toMatchObject({ exitCode: 0 });
    expect((await enrol(code)).err).toContain('enrolled already');
    const bob = ['keys', 'enrol', 'bob.json', '--name', 'Bob'];
    expect((await call([...bob, '--code', code], [PASSPHRASE])).err).toContain(
      'somebody is enrolled already',
    );
    // Where one person governs, one word is enough; elsewhere two administrators agree (test/gateway/approver-keys).
    const alone = { ...policy, solo: true };
    await activatePolicy(db, {
      digest: policyDigestOf(alone),
      document: canonicalize(alone),
      activatedBy: 'test',
    });
    const vouched = await call([...bob, '--by', 'ada.json'], [PASSPHRASE, PASSPHRASE]);
    expect(vouched).toMatchObject({ exitCode: 0 });
    const { out } = await call(['people', '--json']);
    const { people } = JSON.parse(out) as { people: { person: { person_id: string } }[] };
    expect(people.map(({ person }) => person.person_id)).toEqual(['p_ada', 'p_bob']);
  });
});

describe('approve', () => {
  const approve = (run: string, typed: readonly string[], ...more: string[]): Promise<Outcome> =>
    call(['approve', run, '--key', 'ada.json', '--print', '--json', ...more], typed);

  test('shows the whole card on the terminal, asks for the domain, and prints a decision that verifies', async () => {
    await openGate('register-domain', 'irreversible');
    const done = await approve('irreversible', ['superseal.club', PASSPHRASE]);
    expect(done.exitCode).toBe(0);
    expect(done.seen).toContain('Register superseal.club for 1 year, up to 11.20 USD');
    expect(done.seen).toContain('This cannot be taken back.');
    const { decision, command } = JSON.parse(done.out) as { decision: unknown; command: string };
    const { statement, signature } = readDecision(decision);
    const { publicKey } = JSON.parse(readFileSync(path.join(folder, 'ada.json'), 'utf8')) as {
      publicKey: string;
    };
    expect(
      verifyStatement(statement, signature as Ed25519Signature, decodeBase64url(publicKey)!),
    ).toBe(true);
    expect(statement).toMatchObject({ approver: 'p_ada', decision: 'approve', surface: 'offline' });
    expect(command).toBe(
      `temporal workflow signal --workflow-id provision/irreversible --name decide --input '${JSON.stringify(decision)}'`,
    );
  });

  test.each(['superseal.cc', 'SUPERSEAL.CLUB', ''])(
    'signs nothing when %j is typed for the domain',
    async (typed) => {
      const done = await approve('irreversible', [typed, PASSPHRASE]);
      expect(done).toMatchObject({ exitCode: 2 });
      expect(done.err).toContain('what was typed is not superseal.club');
      expect(done.out).not.toContain('signature');
    },
  );

  test('asks for no domain where nothing is irreversible', async () => {
    await openGate('plan', 'reversible');
    const done = await approve('reversible', [PASSPHRASE]);
    expect(done.exitCode).toBe(0);
    expect(done.seen).not.toContain('Type superseal.club');
  });

  test('signs nothing when the card in the database is not the one that the gate names', async () => {
    await openGate('plan', 'forged', ({ document, card }) => ({
      document,
      card: card.replace('"totalMaxMinor":1900', '"totalMaxMinor":0'),
    }));
    const done = await approve('forged', [PASSPHRASE]);
    expect(done).toMatchObject({ exitCode: 1 });
    expect(done.err).toContain('the card is not the one it names');
    expect(done.seen).not.toContain('Passphrase');
  });

  test('gives three tries at the passphrase', async () => {
    const twice = await approve('reversible', ['wrong', 'wrong', PASSPHRASE]);
    expect(twice.exitCode).toBe(0);
    const never = await approve('reversible', ['wrong', 'wrong', 'wrong']);
    expect(never).toMatchObject({ exitCode: 2 });
    expect(never.err).toContain('the passphrase is wrong');
  });

  test('the inbox lists what is open, and a gate is chosen by its name', async () => {
    const { out } = await call(['inbox', '--json']);
    const { gates } = JSON.parse(out) as { gates: { runId: string }[] };
    expect(gates.map(({ runId }) => runId).sort()).toEqual([
      'forged',
      'irreversible',
      'reversible',
    ]);
    const other = await approve('reversible', [PASSPHRASE], '--gate', 'register-domain');
    expect(other.err).toContain('has no open gate "register-domain"');
  });

  test('a revoked key signs nothing', async () => {
    const { keyId } = JSON.parse(readFileSync(path.join(folder, 'ada.json'), 'utf8')) as {
      keyId: string;
    };
    await db.transaction().execute((tx) => revokeKey(tx, { keyId, as: 'retired', reason: 'test' }));
    const done = await approve('reversible', [PASSPHRASE]);
    expect(done).toMatchObject({ exitCode: 2 });
    expect(done.err).toContain('was revoked');
  });
});

import { execFile } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { bundleWorkflowCode } from '@temporalio/worker';
import { transformFile } from '@swc/core';
import { packSite } from '../../client/bundle.js';
import { createClient } from '../../client/client.js';
import { signDecision, verifyGate } from '../../client/decision.js';
import { RunIdTaken } from '../../client/errors.js';
import { signingKeyOf } from '../../client/keys.js';
import { newServiceKeyFile } from '../../client/service-key.js';
import { canonicalize } from '../../domain/canonical.js';
import { policyDigestOf } from '../../domain/policy/schema.js';
import { createKeyring } from '../../gateway/keyring.js';
import { SandboxControl } from '../../sandbox/control-client.js';
import { startSandbox, type RunningSandbox } from '../../sandbox/start.js';
import { storeBundle } from '../../store/bundle-writes.js';
import { databaseNow } from '../../store/clock.js';
import { connect, type Database } from '../../store/connect.js';
import { openGates } from '../../store/inbox.js';
import { migrate } from '../../store/migrate.js';
import { addAgent, addKey, addPerson, addPrincipal, addServiceKey } from '../../store/people.js';
import { activatePolicy } from '../../store/policies.js';
import { runWorker, type RunningWorker } from '../../workers/run-worker.js';
import { SANDBOX_SETTLING } from '../../workers/settings.js';
import { compileFolders, type Compiled } from '../../scripts/compile-folders.mjs';
import {
  startTestDatabase,
  startTestTemporal,
  type FreshDatabase,
  type TestTemporal,
} from '../helpers/stack.js';
import { trialPolicy } from '../helpers/trial-policy.js';

const ROOT = path.resolve(import.meta.dirname, '../..');
const approver = signingKeyOf(generateKeyPairSync('ed25519').privateKey);

let folder: string;
let temporal: TestTemporal;
let database: FreshDatabase;
let db: Database;
let sandbox: RunningSandbox;
let worker: RunningWorker;
let compiled: Compiled;
let instance: string;
let request: Record<string, unknown>;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'countersign-service-'));
  [temporal, database] = await Promise.all([startTestTemporal(), startTestDatabase()]);
  instance = (await migrate(database.url, { mode: 'embedded' })).id;
  db = connect(database.url);
  const site = packSite(path.join(ROOT, 'examples/superseal/site'));
  await register(site);
  sandbox = await startSandbox({ dataDir: path.join(folder, 'sandbox') });
  const control = new SandboxControl(sandbox);
  await control.people('main', { do: 'consent', email: 'platform@example.com', name: 'platform' });
  const bundlePath = path.join(folder, 'workflow-bundle.js');
  const { code } = await bundleWorkflowCode({
    workflowsPath: path.join(ROOT, 'workflows/index.ts'),
  });
  writeFileSync(bundlePath, code);
  const minted = await control.credentials('main');
  const { apiUrl: origin } = sandbox;
  const of = (
    role: 'actions' | 'compensations' | 'reads',
    speaksAs: keyof typeof minted.cloudflare,
  ) => ({
    stripe: { apiKey: minted.stripe[role], origin },
    cloudflare: { apiToken: minted.cloudflare[speaksAs], origin },
  });
  const key = randomBytes(32);
  worker = await runWorker({
    role: 'all',
    temporal: { address: temporal.address, namespace: temporal.namespace },
    gateway: {
      databaseUrl: database.url,
      providers: 'sandbox',
      credentials: {
        actions: of('actions', 'mint-actions'),
        compensations: of('compensations', 'mint-compensations'),
        reads: of('reads', 'reads'),
        accounts: { apiToken: minted.cloudflare.accounts, origin },
      },
      keyring: createKeyring(() => [{ keyId: 'k-test', key }]),
      rotating: [],
      settling: SANDBOX_SETTLING,
      edgeOrigin: sandbox.edgeUrl,
    },
    bundlePath,
    logLevel: 'silent',
  });
  compiled = await compileExample();
});

afterAll(async () => {
  compiled.remove();
  await worker.stop();
  await sandbox.close();
  await db.destroy();
  await Promise.all([temporal.stop(), database.drop()]);
  rmSync(folder, { recursive: true, force: true });
});

/** One approver, an agent of somebody else's, a principal, a service key, and the site. */
async function register(site: ReturnType<typeof packSite>): Promise<void> {
  const policy = trialPolicy();
  await activatePolicy(db, {
    digest: policyDigestOf(policy),
    document: canonicalize(policy),
    activatedBy: 'test',
  });
  const service = newServiceKeyFile(path.join(folder, 'service.json'), instance, 's_shop');
  await db.transaction().execute(async (tx) => {
    await addPerson(tx, { personId: 'p_owner', name: 'Owner', groups: [] });
    await addPerson(tx, { personId: 'p_ada', name: 'Ada', groups: ['approvers'] });
    await addKey(tx, {
      keyId: approver.keyId,
      personId: 'p_ada',
      publicKey: approver.publicKey,
      label: '',
      evidence: {},
    });
    await addAgent(tx, { agentId: 'shop-agent', owner: 'p_owner' });
    await addPrincipal(tx, { principalId: 'pr_shop', name: 'Shop', email: 'shop@example.com' });
    await addServiceKey(tx, {
      keyId: service.key.keyId,
      service: 's_shop',
      publicKey: service.key.publicKey,
      agents: ['shop-agent'],
      principals: ['pr_shop'],
      environments: ['development'],
    });
  });
  await storeBundle(db, site);
  request = {
    goal: 'Put the Superseal landing page online',
    principal: 'pr_shop',
    agent: 'shop-agent',
    environment: 'development',
    domain: { name: 'superseal.club' },
    bundle: site.digest,
    budget: '60.00 USD',
  };
  writeFileSync(path.join(folder, 'request.json'), JSON.stringify(request));
}

async function compileExample(): Promise<Compiled> {
  const made = await compileFolders(['domain', 'activities', 'workflows', 'client']);
  mkdirSync(path.join(made.folder, 'examples'));
  const { code } = await transformFile(path.join(ROOT, 'examples/backend-service.ts'), {
    swcrc: false,
    jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
    module: { type: 'es6' },
  });
  writeFileSync(path.join(made.folder, 'examples/backend-service.js'), code);
  cpSync(path.join(folder, 'service.json'), path.join(made.folder, 'service.json'));
  return made;
}

/** Approves every gate of the run as it opens, as a person would, until told to stop. */
async function approveEverything(runId: string, over: () => boolean): Promise<void> {
  const client = await createClient({ address: temporal.address });
  const decided = new Set<string>();
  while (!over()) {
    for (const row of await openGates(db, runId)) {
      if (decided.has(row.gate_id)) continue;
      const message = signDecision(
        verifyGate(row, instance),
        {
          decision: 'approve',
          approver: 'p_ada',
          surface: 'cli',
          decidedAt: (await databaseNow(db)).toISOString(),
        },
        approver,
      );
      await client.run(runId).decide(message);
      decided.add(row.gate_id);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await client.close();
}

test('the ten lines of the README start a run with a Temporal address and a service key, and follow it to its end', async () => {
  let over = false;
  const approving = approveEverything('launch-7', () => over);
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      path.join(compiled.folder, 'examples/backend-service.js'),
      temporal.address,
      path.join(folder, 'service.json'),
      path.join(folder, 'request.json'),
    ],
    { env: { PATH: process.env['PATH'] ?? '' }, timeout: 100_000 },
  ).finally(() => {
    over = true;
  });
  await approving;
  expect(stdout).toContain('completed: spent 1120 cents');
  const { living } = await new SandboxControl(sandbox).truth('main');
  expect(living.filter(({ name }) => name === 'superseal.club').length).toBeGreaterThan(0);
});

test('the same id and request is the same run, another request is refused, and the list tells of it', async () => {
  const client = await createClient({
    address: temporal.address,
    serviceKey: path.join(folder, 'service.json'),
  });
  const again = await client.start({ runId: 'launch-7', request });
  expect(await again.state()).toMatchObject({ phase: 'completed', spentMinor: 1120 });
  const other = { ...request, budget: '61.00 USD' };
  await expect(client.start({ runId: 'launch-7', request: other })).rejects.toThrow(RunIdTaken);
  await expect(client.start({ runId: 'No', request })).rejects.toThrow('run id "No"');
  expect(await client.list({ phase: 'completed' })).toMatchObject([
    { runId: 'launch-7', domain: 'superseal.club', spentMinor: 1120 },
  ]);
  await client.close();
});

test('a key that may not speak for the agent starts nothing: the run ends as denied, and says nothing more', async () => {
  const stranger = path.join(folder, 'stranger.json');
  newServiceKeyFile(stranger, instance, 's_shop');
  const client = await createClient({ address: temporal.address, serviceKey: stranger });
  const run = await client.start({ runId: 'stranger-1', request });
  await expect(run.result()).rejects.toMatchObject({
    name: 'RunEnded',
    message: expect.stringContaining('no registered service key speaks for this request'),
  });
  expect(await openGates(db, 'stranger-1')).toEqual([]);
  await client.close();
});

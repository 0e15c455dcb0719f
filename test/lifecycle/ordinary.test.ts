import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { WORLD } from '../../cli/demo/stage.js';
import { foundOf } from '../../cli/demo/verdict.js';
import { signDecision } from '../../client/decision.js';
import type { SigningKey } from '../../client/keys.js';
import { builtInPolicy } from '../../domain/policy/built-in.js';
import type { DecideMessage } from '../../domain/documents.js';
import { digestOf } from '../../domain/canonical.js';
import type { Digest } from '../../domain/ids.js';
import type { Truth } from '../../sandbox/control-client.js';
import { databaseNow } from '../../store/clock.js';
import { ended, reached, ROOMY } from '../helpers/stage.js';
import { newKey } from '../roads/ground.js';
import { openGround, outcomes, shown, type Asked, type Ground } from './ground.js';

/** What `up` takes for too small for three workers. */
const SMALL_BYTES = 2 * 1024 ** 3;
/** Answers wherever no file does. */
const BROKEN = 'export default { fetch: () => new Response("broken", { status: 500 }) };\n';

let ground: Ground;
beforeAll(async () => {
  ground = await openGround({ memoryBytes: SMALL_BYTES });
}, 400_000);
afterAll(() => ground.close(), 60_000);

const SHOP = {
  domain: 'patient-harbour.club',
  principal: 'owner@patient-harbour.example',
} as const;
const shop = (of: Partial<Asked> & { runId: string; page: string }): Asked => ({ ...SHOP, ...of });

/** What was paid and registered so far, as the providers know it. */
const paid = ({ charges }: Truth) =>
  charges.map(({ provider, amountMinor, refundedMinor }) => [provider, amountMinor, refundedMinor]);
const PAID_ONCE = [
  ['stripe', 1900, 0],
  ['cloudflare', 1120, 0],
];

test('one worker for all roles, as on a small machine: approved at the terminal, live, one of everything', async () => {
  expect(ground.stage.stack.names.filter((name) => name.startsWith('worker'))).toEqual(['worker']);
  const handle = await ground.provision(shop({ runId: 'first', page: 'first site', txt: ['a=1'] }));
  const plan = await ground.approve(handle, 'plan');
  expect(plan.seen).toContain('https://sandbox.invalid/terms/cloudflare');
  await ground.approve(handle, 'register-domain');
  expect(await ended(handle)).toMatchObject({ phase: 'completed' });
  expect(await ground.page(SHOP.domain)).toBe('200 first site');
  const truth = await ground.stage.truth();
  expect(paid(truth)).toEqual(PAID_ONCE);
  expect(foundOf(truth, { runId: 'first', domain: SHOP.domain })).toMatchObject({
    customers: 1,
    subscriptions: 1,
    registered: true,
    renewsByItself: false,
    workers: 1,
    customDomains: 1,
    records: 1,
  });
}, 300_000);

const MINT = 'POST /client/v4/accounts/:id/tokens';

/** Updates the site; answers how each step ended, what changed the world, and the tokens minted for it. */
async function update(of: Asked, gates: readonly string[]) {
  const before = (await ground.stage.truth()).requests.length;
  const handle = await ground.provision(of);
  for (const gate of gates) await ground.approve(handle, gate);
  const state = await ended(handle);
  const truth = await ground.stage.truth();
  const lines = truth.requests
    .slice(before)
    .filter(({ method }) => method !== 'GET')
    .map(({ method, path }) => `${method} ${path.replace(/[0-9a-f]{32}/g, ':id')}`);
  return {
    state,
    truth,
    changes: lines.filter((line) => !/domain-check|assets|tokens/.test(line)),
    minted: lines.filter((line) => line === MINT).length,
  };
}

const ADOPTED = {
  'create-customer': 'adopted',
  'link-account': 'adopted',
  'start-subscription': 'adopted',
  'register-domain': 'adopted',
  'configure-dns': 'adopted',
  'attach-domain': 'adopted',
};
const UPLOAD = 'PUT /client/v4/accounts/:id/workers/scripts/cs-patient--harbour-club';

test('a second run for what runs already adopts everything and deploys the new site alone', async () => {
  const asked = shop({ runId: 'second', page: 'second site', txt: ['a=1'] });
  const { state, truth, changes, minted } = await update(asked, ['plan']);
  expect(outcomes(state)).toEqual({
    ...ADOPTED,
    'deploy-site': 'succeeded',
    'verify-site': 'verified',
  });
  expect(changes).toEqual([UPLOAD]);
  expect(minted).toBe(1);
  expect(paid(truth)).toEqual(PAID_ONCE);
  expect(state.spentMinor).toBe(0);
  expect(await ground.page(SHOP.domain)).toBe('200 second site');
  const { out } = await ground.cli(['show', 'second']);
  expect(out).toMatch(/second {2}completed/);
  expect(out).toMatch(/✓ deploy-site +succeeded/);
}, 300_000);

test('a further record beside those that are there is the only record added', async () => {
  const asked = shop({ runId: 'third', page: 'third site', txt: ['a=1', 'b=2'] });
  const { state, truth, changes, minted } = await update(asked, ['plan']);
  expect(outcomes(state)).toMatchObject({
    'configure-dns': 'succeeded',
    'attach-domain': 'adopted',
  });
  expect(changes).toEqual(['POST /client/v4/zones/:id/dns_records/batch', UPLOAD]);
  expect(minted).toBe(2);
  const records = (truth.cloudflare['records'] as { type: string; content: string }[])
    .filter(({ type }) => type === 'TXT')
    .map(({ content }) => content.replaceAll('"', ''));
  expect(records.sort()).toEqual(['a=1', 'b=2']);
  expect(await ground.page(SHOP.domain)).toBe('200 third site');
}, 300_000);

test('a deploy that fails for good leaves the former version and everything else as it was', async () => {
  await ground.stage.sandbox.faults(WORLD, [
    {
      provider: 'cloudflare',
      method: 'PUT',
      path: '/client/v4/accounts/*/workers/scripts/*',
      times: 1_000,
      fault: 'refuse',
    },
  ]);
  const asked = shop({ runId: 'fourth', page: 'fourth site', txt: ['a=1', 'b=2', 'c=3'] });
  const { state, truth } = await update(asked, ['plan']);
  await ground.stage.sandbox.faults(WORLD, []);
  expect(state).toMatchObject({ phase: 'reversed', residue: [] });
  expect(outcomes(state)).toMatchObject({
    'start-subscription': 'adopted',
    'configure-dns': 'reversed',
    'deploy-site': 'never-happened',
  });
  await asBefore(truth);
  const { out } = await ground.cli(['why', 'fourth']);
  expect(out).toMatch(/It has ended: reversed, .*deploy-site/);
}, 300_000);

async function asBefore(truth: Truth): Promise<void> {
  expect(await ground.page(SHOP.domain)).toBe('200 third site');
  expect(paid(truth)).toEqual(PAID_ONCE);
  const kinds = truth.living.map(({ kind }) => kind);
  for (const kind of ['customer', 'registration', 'worker', 'custom-domain'])
    expect([kind, kinds.filter((one) => one === kind).length]).toEqual([kind, 1]);
  expect(kinds.filter((kind) => kind === 'dns-record').length).toBe(3);
}

test('a site that does not verify is taken back: the former version answers again, nothing else goes', async () => {
  const asked = shop({
    runId: 'fifth',
    page: 'fifth site',
    txt: ['a=1', 'b=2'],
    worker: BROKEN,
    file: 'about.html',
  });
  const handle = await ground.provision(asked);
  await ground.approve(handle, 'plan');
  await reached(handle, ({ steps }) =>
    steps.some(({ step, outcome }) => step === 'verify-site' && outcome === 'running'),
  );
  expect(await ground.page(SHOP.domain)).toBe('500 broken');
  // For ten minutes it may still come; then it is a failure.
  await ground.stage.advance(11 * 60_000);
  const state = await ended(handle);
  expect(state.phase).toBe('reversed');
  expect(outcomes(state)).toMatchObject({ ...ADOPTED, 'deploy-site': 'reversed' });
  await asBefore(await ground.stage.truth());
  const { out } = await ground.cli(['show', 'fifth']);
  expect(out).toMatch(/verify-site failed/);
  expect(out).toMatch(/answers 500/);
}, 300_000);

const NEWER = builtInPolicy().terms.map((terms) => ({
  ...terms,
  version: '2',
  digest: `sha256:${'2'.repeat(64)}`,
}));

test('a new version of a provider’s terms is asked of a person, once; without it this run asks nobody', async () => {
  const quiet = shop({ runId: 'sixth', page: 'sixth site', environment: 'development' });
  expect((await update(quiet, [])).state.phase).toBe('completed');
  await ground.stage.policy({ ...ROOMY, terms: NEWER });
  const handle = await ground.provision({ ...quiet, runId: 'seventh', page: 'seventh site' });
  const { openGate } = await reached(handle, ({ phase }) => phase === 'awaiting-approval');
  expect(JSON.parse(openGate?.card ?? '{}')).toMatchObject({
    terms: [{ provider: 'cloudflare', version: '2' }],
  });
  const own = await ground.signed('owner', ['approve', 'seventh', '--gate', 'plan']);
  expect([own.exitCode, own.err]).toEqual([1, expect.stringContaining('excluded-owner')]);
  expect(await ground.page(SHOP.domain)).toBe('200 sixth site');
  const accepted = await ground.approve(handle, 'plan');
  expect(shown(accepted)).toMatch(/version 2/);
  expect((await ended(handle)).phase).toBe('completed');
  const rows = await ground.stage.db
    .selectFrom('terms_acceptances')
    .select(['version', 'accepted_by'])
    .orderBy('accepted_at')
    .execute();
  expect(rows).toEqual([
    { version: '1', accepted_by: ['p_ada'] },
    { version: '2', accepted_by: ['p_ada'] },
  ]);
  const later = { ...quiet, runId: 'eighth', page: 'eighth site' };
  expect((await update(later, [])).state.phase).toBe('completed');
  expect(await ground.page(SHOP.domain)).toBe('200 eighth site');
}, 300_000);

test('an account of the customer’s own is used when its owner has consented, and no command is given', async () => {
  const owner = { email: 'ida@tidal-lamp.example', name: 'Ida' };
  const { account } = (await ground.stage.sandbox.people(WORLD, {
    do: 'existing-account',
    ...owner,
  })) as { account: string };
  const asked = { runId: 'linked', domain: 'tidal-lamp.club', principal: owner.email };
  const handle = await ground.provision({ ...asked, page: 'linked site', account });
  await ground.approve(handle, 'plan');
  await reached(handle, ({ phase }) => phase === 'needs-input');
  const why = await ground.cli(['why', 'linked']);
  expect(why.out).toContain(`consent to use the Cloudflare account ${account}`);
  const command = /countersign (pretend consent account=\w+)/.exec(why.out)?.[1] ?? '';
  expect(changedIn(await ground.stage.truth(), account)).toEqual([]);
  expect((await ground.cli(command.split(' '))).exitCode).toBe(0);
  await ground.approve(handle, 'register-domain');
  expect((await ended(handle)).phase).toBe('completed');
  expect(await ground.page(asked.domain)).toBe('200 linked site');
  const truth = await ground.stage.truth();
  const registrations = truth.cloudflare['registrations'] as {
    domain: string;
    accountId: string;
  }[];
  expect(registrations.find(({ domain }) => domain === asked.domain)?.accountId).toBe(account);
}, 300_000);

const changedIn = ({ requests }: Truth, account: string): string[] =>
  requests
    .filter(({ method, path }) => method !== 'GET' && path.includes(account))
    .map(({ method, path }) => `${method} ${path}`);

test('whoever signs wrongly, by signal or update, is refused by reason; the gate stays open for the right one', async () => {
  const asked = {
    runId: 'refusals',
    domain: 'hollow-reed.club',
    principal: 'owner@hollow-reed.example',
  };
  const handle = await ground.provision({ ...asked, page: 'approved in the end' });
  const { stage } = ground;
  const verified = await stage.gate('refusals', 'plan');
  const decidedAt = (await databaseNow(stage.db)).toISOString();
  const by = (approver: string, key: SigningKey, change: { digest?: Digest } = {}) =>
    signDecision(
      { ...verified, ...change },
      { decision: 'approve', approver, surface: 'cli', decidedAt },
      key,
    );
  const ada = await ground.keyOf('ada');
  const good = by('p_ada', ada);
  const other = digestOf('another');
  const wrong: readonly (readonly [reason: string, message: DecideMessage])[] = [
    ['digest-mismatch', by('p_ada', ada, { digest: other })],
    ['signature-bad', { ...good, decidedAt: new Date(0).toISOString() }],
    ['not-in-group', by('p_nobody', await ground.keyOf('nobody'))],
    ['excluded-owner', by('p_owner', await ground.keyOf('owner'))],
    ['key-not-of-approver', by('p_ada', await ground.keyOf('owner'))],
    ['key-unknown', by('p_ada', newKey())],
  ];
  for (const [reason, message] of wrong) {
    expect(await handle.decideNow(message)).toMatchObject({ accepted: false, reason });
    await handle.decide(message);
  }
  const foreign = { ...good, instance: '0'.repeat(32) };
  expect(await handle.decideNow(foreign)).toMatchObject({ reason: 'instance-mismatch' });
  await handle.decide(by('p_nobody', await ground.keyOf('nobody')));
  const refused = await refusalsOf('refusals');
  expect(refused).toEqual([...wrong.map(([reason]) => reason), 'instance-mismatch'].sort());
  expect((await handle.state()).openGate?.gateId).toBe(verified.gate.gateId);
  expect(foundOf(await stage.truth(), asked).customers).toBe(0);
  await ground.approve(handle, 'plan');
  await ground.approve(handle, 'register-domain');
  expect((await ended(handle)).phase).toBe('completed');
}, 300_000);

test('an hour and a day later the sweep reads all of it back, and there is nothing that a person has to look at', async () => {
  for (const hours of [2, 24]) {
    await ground.stage.advance(hours * 3_600_000);
    expect(await ground.sweepHere()).toEqual([]);
  }
  const { out } = await ground.cli(['cases']);
  expect(out).toBe('No open cases.\n');
}, 300_000);

async function refusalsOf(runId: string): Promise<string[]> {
  const rows = await ground.stage.db
    .selectFrom('refusals')
    .select('reason')
    .distinct()
    .where('run_id', '=', runId)
    .execute();
  return rows.map(({ reason }) => reason).sort();
}

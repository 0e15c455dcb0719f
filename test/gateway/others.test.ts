import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { packSite } from '../../client/bundle.js';
import type { RunId } from '../../domain/ids.js';
import type { EffectStep } from '../../domain/steps.js';
import type { EffectRow } from '../../gateway/door-contract.js';
import { sweep } from '../../gateway/sweep.js';
import { storeBundle } from '../../store/bundle-writes.js';
import { linkedAccount } from '../../store/principal-accounts.js';
import { openSandbox, performed, persist, takenBack, upTo } from './at-sandbox.js';
import type { AtSandbox, Sandboxed } from './at-sandbox.js';
import { admitted, approved, perform, sender } from './house.js';

/** What is not ours, and what others rely on: the real operations, at the real sandbox. */
let sandbox: Sandboxed;
let at: AtSandbox;
beforeAll(async () => {
  sandbox = await openSandbox();
});
afterAll(() => sandbox.close());
afterEach(() => at.close());

const NAME = 'superseal.club';
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

async function begun(name: string, last: EffectStep): Promise<RunId> {
  const runId = await admitted(at, name);
  await approved(at, runId, 'plan');
  await upTo(at, runId, last);
  return runId;
}

async function completed(runId: RunId): Promise<void> {
  await persist(at, () => at.gateway.verify(runId));
  expect((await at.gateway.complete(runId)).phase).toBe('completed');
}

/** A run that takes over what another one made: it performs what its plan has left to do, and completes. */
async function adopting(name: string, change: Record<string, unknown>): Promise<RunId> {
  const runId = await admitted(at, name, change);
  const { plan } = await at.gateway.plan(runId);
  for (const { gate } of plan.gates)
    if (gate !== 'register-domain') await approved(at, runId, gate);
  for (const { step, kind } of plan.steps) {
    if (kind !== 'act' || step === 'verify-site') continue;
    if (step === 'register-domain') await approved(at, runId, 'register-domain');
    await performed(at, runId, step);
  }
  await completed(runId);
  return runId;
}

async function stopped(runId: RunId): Promise<readonly EffectStep[]> {
  await at.gateway.stopRun(runId, 'p_ada', 'enough', 'unwind');
  return (await at.gateway.closeDoor(runId, { kind: 'stopped' })).steps;
}

async function unwound(runId: RunId): Promise<void> {
  for (const step of await stopped(runId)) await takenBack(at, runId, step);
}

const rowOf = async (runId: RunId, step: EffectStep): Promise<EffectRow> =>
  (await at.parts.door.rows(runId)).find((row) => row.step === step && row.kind === 'act')!;

const accountOf = async (runId: RunId): Promise<string> =>
  (await rowOf(runId, 'link-account')).object ?? '';

const registrations = (account: string): string =>
  `/client/v4/accounts/${account}/registrar/registrations`;

interface Registration {
  readonly result: { readonly auto_renew: boolean };
}
const registrationOf = (account: string): Promise<Registration> =>
  at.byHand('GET', `${registrations(account)}/${NAME}`) as Promise<Registration>;

const swept = () =>
  sweep(at.parts, {
    temporal: { namespace: 'default', cluster: 'c1' },
    describeRun: () => Promise.resolve('RUNNING'),
    startRepair: () => Promise.resolve(),
  });

const casesOf = async (runId: RunId): Promise<string[]> =>
  (await at.db.selectFrom('cases').select('kind').where('run_id', '=', runId).execute()).map(
    ({ kind }) => kind,
  );

/** The same site with one more file. */
async function newSite(): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'countersign-site-'));
  cpSync('examples/superseal/site', dir, { recursive: true });
  writeFileSync(join(dir, 'public/new.txt'), 'new');
  const site = packSite(dir);
  rmSync(dir, { recursive: true, force: true });
  await storeBundle(at.db, site);
  return site.digest;
}

async function registeredByHand(account: string): Promise<void> {
  await at.byHand('POST', registrations(account), {
    domain_name: NAME,
    years: 1,
    auto_renew: true,
  });
  await at.wait(60_000);
}

test('a name that its owner registered by hand is neither claimed nor changed', async () => {
  at = await sandbox.open('by-hand');
  const runId = await begun('launch', 'start-subscription');
  await approved(at, runId, 'register-domain');
  const account = await accountOf(runId);
  await registeredByHand(account);
  await expect(performed(at, runId, 'register-domain')).rejects.toMatchObject({
    code: 'PROVIDER_REFUSED',
  });
  await unwound(runId);
  expect((await rowOf(runId, 'register-domain')).outcome).toBe('never-happened');
  expect((await registrationOf(account)).result.auto_renew).toBe(true);
  const state = await at.gateway.finish(runId, 'the name was taken');
  expect(state.spentMinor).toBe(0);
  expect(state.residue.map(({ step }) => step)).not.toContain('register-domain');
});

test('a name that was there before an attempt began is not what that attempt made', async () => {
  at = await sandbox.open('before');
  const runId = await begun('launch', 'start-subscription');
  await approved(at, runId, 'register-domain');
  const account = await accountOf(runId);
  await registeredByHand(account);
  await at.wait(HOUR_MS);
  const killed = sender((point) => {
    if (point === 'after-authorize') throw new Error('killed');
  });
  await at.gateway.perform(runId, 'register-domain', killed).catch(() => undefined);
  expect((await rowOf(runId, 'register-domain')).state).toBe('claimed');
  await unwound(runId);
  expect((await rowOf(runId, 'register-domain')).outcome).toBe('never-happened');
  expect((await registrationOf(account)).result.auto_renew).toBe(true);
});

test('what a later run bought is not a double of one that failed to buy it', async () => {
  at = await sandbox.open('later');
  const { account } = (await at.control.people(at.world, {
    do: 'consent',
    email: 'owner@example.com',
    name: 'Owner',
  })) as { account: string };
  await at.control.people(at.world, { do: 'add-billing', account });
  const hosting = { plan: 'free', account };
  const first = await admitted(at, 'first', { hosting });
  await approved(at, first, 'plan');
  await upTo(at, first, 'start-subscription');
  await approved(at, first, 'register-domain');
  await at.control.faults(at.world, [
    {
      provider: 'cloudflare',
      method: 'POST',
      path: '/client/v4/accounts/*/registrar/registrations',
      fault: 'refuse',
    },
  ]);
  await expect(perform(at, first, 'register-domain')).rejects.toMatchObject({
    code: 'PROVIDER_REFUSED',
  });
  await unwound(first);
  const second = await admitted(at, 'second', { hosting });
  await approved(at, second, 'plan');
  await upTo(at, second, 'register-domain');
  await at.wait(HOUR_MS + 60_000);
  await swept();
  expect(await casesOf(first)).toEqual([]);
  expect(await casesOf(second)).toEqual([]);
});

test('a name that turns up in nobody’s record opens a case that claims nothing', async () => {
  at = await sandbox.open('unclaimed');
  const runId = await begun('launch', 'start-subscription');
  await approved(at, runId, 'register-domain');
  await at.control.faults(at.world, [
    {
      provider: 'cloudflare',
      method: 'POST',
      path: '/client/v4/accounts/*/registrar/registrations',
      fault: 'refuse',
    },
  ]);
  await perform(at, runId, 'register-domain').catch(() => undefined);
  await at.wait(600_000);
  await registeredByHand(await accountOf(runId));
  await at.wait(HOUR_MS + 60_000);
  await swept();
  expect(await casesOf(runId)).toEqual(['perhaps-ours']);
  expect((await rowOf(runId, 'register-domain')).object).toBeUndefined();
});

test('what another run has adopted is not taken from it: a person decides', async () => {
  at = await sandbox.open('adopted');
  const first = await begun('first', 'start-subscription');
  await adopting('second', {
    goal: 'Put other-name.club online',
    domain: { name: 'other-name.club', years: 1 },
  });
  await stopped(first);
  for (const step of ['start-subscription', 'create-customer'] as const)
    await expect(takenBack(at, first, step)).rejects.toMatchObject({
      code: 'USED_BY_OTHERS',
      message: expect.stringContaining('second') as unknown,
    });
  const { charges } = await at.control.truth(at.world);
  expect(charges.map(({ refundedMinor }) => refundedMinor)).toEqual([0, 0]);
  // Its account stays as it is, and nobody is told to close it.
  expect(await takenBack(at, first, 'link-account')).toBe('mitigated');
  expect(await casesOf(first)).toEqual([]);
  const principal = 'pr_owner';
  expect(await linkedAccount(at.db, { principal, provider: 'cloudflare' })).toBe(
    await accountOf(first),
  );
});

test('a run that is itself stopped is waited for, and then gives way', async () => {
  at = await sandbox.open('both');
  const first = await begun('first', 'start-subscription');
  const second = await admitted(at, 'second', {
    goal: 'Put other-name.club online',
    domain: { name: 'other-name.club', years: 1 },
  });
  await stopped(first);
  await at.gateway.stopRun(second, 'p_ada', 'enough', 'unwind');
  expect(await at.gateway.reverse(first, 'start-subscription', sender())).toMatchObject({
    done: false,
    why: expect.stringContaining('second') as unknown,
  });
  await at.gateway.closeDoor(second, { kind: 'stopped' });
  expect(await takenBack(at, first, 'start-subscription')).toBe('reversed');
});

test('the domain of a site that another run has updated stays attached', async () => {
  at = await sandbox.open('updated');
  const first = await begun('first', 'attach-domain');
  await adopting('second', { bundle: await newSite() });
  await stopped(first);
  await expect(takenBack(at, first, 'attach-domain')).rejects.toMatchObject({
    code: 'USED_BY_OTHERS',
  });
  expect(await takenBack(at, first, 'register-domain')).toBe('mitigated');
  expect(await casesOf(first)).toEqual([]);
});

test('a domain that was attached meanwhile is adopted, not claimed', async () => {
  at = await sandbox.open('attached');
  const runId = await begun('launch', 'deploy-site');
  const account = await accountOf(runId);
  const service = (await rowOf(runId, 'deploy-site')).fields['script'] ?? '';
  await persist(at, async () => {
    await at.byHand('PUT', `/client/v4/accounts/${account}/workers/domains`, {
      hostname: NAME,
      service,
      zone_name: NAME,
    });
  });
  await at.wait(60_000);
  await expect(performed(at, runId, 'attach-domain')).rejects.toMatchObject({ code: 'GRANT_VOID' });
  await stopped(runId);
  expect(await takenBack(at, runId, 'attach-domain')).toBe('never-happened');
  await expect(takenBack(at, runId, 'deploy-site')).rejects.toMatchObject({
    code: 'USED_BY_OTHERS',
  });
});

test('no more is given back than was captured: a renewal since is named, and a person decides', async () => {
  at = await sandbox.open('renewed');
  const runId = await begun('launch', 'start-subscription');
  await at.wait(32 * DAY_MS);
  await stopped(runId);
  expect(await takenBack(at, runId, 'start-subscription')).toBe('reversed');
  const { charges } = await at.control.truth(at.world);
  expect(charges.map(({ refundedMinor }) => refundedMinor).sort()).toEqual([0, 1900]);
  const state = await at.gateway.report(runId);
  expect(state.residue).toContainEqual({
    step: 'start-subscription',
    minor: 1900,
    text: expect.stringContaining('renewal') as unknown,
  });
  expect(await casesOf(runId)).toEqual(['residue']);
});

test('a step that was tried and is adopted in a later plan is closed too, and the run ends', async () => {
  at = await sandbox.open('overtaken');
  await begun('first', 'attach-domain');
  const bundle = await newSite();
  const [second, third] = [
    await admitted(at, 'second', { bundle }),
    await admitted(at, 'third', { bundle }),
  ];
  for (const runId of [second, third]) await at.gateway.openGate(runId, 'plan');
  await performed(at, second, 'deploy-site');
  await expect(performed(at, third, 'deploy-site')).rejects.toMatchObject({ code: 'GRANT_VOID' });
  const { plan } = await at.gateway.plan(third);
  expect(plan.steps.find(({ step }) => step === 'deploy-site')?.kind).toBe('adopt');
  const steps = await stopped(third);
  expect(steps).toContain('deploy-site');
  for (const step of steps) await takenBack(at, third, step);
  expect((await at.gateway.finish(third, 'enough')).phase).toBe('reversed');
});

test('an account that is linked again after it was taken back is on record again', async () => {
  at = await sandbox.open('again');
  const owner = (await at.control.people(at.world, {
    do: 'consent',
    email: 'owner@example.com',
    name: 'Owner',
  })) as { account: string };
  const hosting = { plan: 'free', account: owner.account };
  const of = { principal: 'pr_owner', provider: 'cloudflare' } as const;
  const link = async (name: string): Promise<RunId> => {
    const runId = await admitted(at, name, { hosting });
    await approved(at, runId, 'plan');
    await upTo(at, runId, 'link-account');
    return runId;
  };
  await unwound(await link('first'));
  expect(await linkedAccount(at.db, of)).toBeUndefined();
  await link('second');
  expect(await linkedAccount(at.db, of)).toBe(owner.account);
});

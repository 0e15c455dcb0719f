import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { canonicalize } from '../../domain/canonical.js';
import type { RunId } from '../../domain/ids.js';
import { builtInPolicy } from '../../domain/policy/built-in.js';
import { policyDigestOf } from '../../domain/policy/schema.js';
import { activatePolicy } from '../../store/policies.js';
import type { AtSandbox, Sandboxed } from './at-sandbox.js';
import { openSandbox } from './at-sandbox.js';
import { admitted, approved, opened, perform, sender } from './house.js';

let sandbox: Sandboxed;
beforeAll(async () => {
  sandbox = await openSandbox();
});
afterAll(async () => {
  await sandbox.close();
});

async function accountOf(at: AtSandbox, email: string): Promise<string> {
  const made = await at.control.people(at.world, { do: 'existing-account', email, name: 'Other' });
  return (made as { account: string }).account;
}

/** A run that is to link somebody's account, approved and just before that step. */
async function linking(at: AtSandbox, email: string): Promise<{ runId: RunId; account: string }> {
  const account = await accountOf(at, email);
  const runId = await admitted(at, 'link', { hosting: { plan: 'free', account } });
  await approved(at, runId, 'plan');
  await perform(at, runId, 'create-customer');
  return { runId, account };
}

/** A policy that would let everything happen by itself. */
const FREE = builtInPolicy({ override: { tiers: [{ step: '*', tier: 'autonomous' }], terms: [] } });

const linked = async (at: AtSandbox): Promise<string[]> => {
  const rows = await at.db.selectFrom('principal_accounts').select('provider').execute();
  return rows.map(({ provider }) => provider);
};

test('an account that is not the principal’s is not taken into use, whoever calls the step', async () => {
  const at = await sandbox.open('stranger');
  try {
    const { runId, account } = await linking(at, 'other@example.com');
    await at.control.people(at.world, { do: 'consent', account });
    await expect(perform(at, runId, 'link-account')).rejects.toMatchObject({ code: 'NEEDS_INPUT' });
    // Killed between the door and the request, the next attempt reads back: seeing the account is no consent.
    const killed = sender((place) => {
      if (place === 'after-claim') throw new Error('killed');
    });
    await at.gateway.perform(runId, 'link-account', killed).catch(() => undefined);
    for (const wait of [30_000, 1_000, 1_000]) {
      await at.wait(wait);
      await expect(perform(at, runId, 'link-account')).rejects.toBeDefined();
    }
    expect(await linked(at)).toEqual(['stripe']);
  } finally {
    await at.close();
  }
}, 60_000);

test('the principal’s own account is linked once they have consented', async () => {
  const at = await sandbox.open('owner');
  try {
    const { runId, account } = await linking(at, 'owner@example.com');
    await expect(perform(at, runId, 'link-account')).rejects.toMatchObject({ code: 'NEEDS_INPUT' });
    await at.control.people(at.world, { do: 'consent', account });
    expect(await perform(at, runId, 'link-account')).toMatchObject({ object: account });
    expect(await linked(at)).toEqual(['stripe', 'cloudflare']);
  } finally {
    await at.close();
  }
}, 60_000);

test('an address that matches links nothing by itself: a person says whose account it is, and its owner has let us in', async () => {
  const at = await sandbox.open('address');
  try {
    await activatePolicy(at.db, {
      digest: policyDigestOf(FREE),
      document: canonicalize(FREE),
      activatedBy: 'test',
    });
    // The owner has let us in before: by the address alone nothing would be left to ask.
    const account = await accountOf(at, 'owner@example.com');
    await at.control.people(at.world, { do: 'consent', account });
    const runId = await admitted(at, 'link', { hosting: { plan: 'free', account } });
    await perform(at, runId, 'create-customer');
    await expect(perform(at, runId, 'link-account')).rejects.toMatchObject({ code: 'GATE_NEEDED' });
    expect(await linked(at)).toEqual(['stripe']);
    const { notes } = JSON.parse((await opened(at, runId, 'plan')).card) as { notes: string[] };
    expect(notes.join(' ')).toContain('approving says that it is the principal');
    await approved(at, runId, 'plan');
    expect(await perform(at, runId, 'link-account')).toMatchObject({ object: account });
  } finally {
    await at.close();
  }
}, 60_000);

test('an owner who was invited and has not accepted has not consented', async () => {
  const at = await sandbox.open('invited');
  try {
    const { runId, account } = await linking(at, 'other@example.com');
    await at.control.people(at.world, { do: 'consent', account });
    await at.byHand('POST', `/client/v4/accounts/${account}/members`, {
      email: 'owner@example.com',
      roles: ['33666b9c79b9a5273fc7344ff42f953d'],
    });
    await expect(perform(at, runId, 'link-account')).rejects.toMatchObject({ code: 'NEEDS_INPUT' });
    expect(await linked(at)).toEqual(['stripe']);
  } finally {
    await at.close();
  }
}, 60_000);

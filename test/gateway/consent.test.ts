import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { RunId } from '../../domain/ids.js';
import type { AtSandbox, Sandboxed } from './at-sandbox.js';
import { openSandbox } from './at-sandbox.js';
import { admitted, approved, perform, sender } from './house.js';

let sandbox: Sandboxed;
beforeAll(async () => {
  sandbox = await openSandbox();
});
afterAll(async () => {
  await sandbox.close();
});

/** A run that is to link somebody's account, approved and just before that step. */
async function linking(at: AtSandbox, email: string): Promise<{ runId: RunId; account: string }> {
  const made = await at.control.people(at.world, { do: 'existing-account', email, name: 'Other' });
  const { account } = made as { account: string };
  const runId = await admitted(at, 'link', { hosting: { plan: 'free', account } });
  await approved(at, runId, 'plan');
  await perform(at, runId, 'create-customer');
  return { runId, account };
}

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

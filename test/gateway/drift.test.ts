import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { cardSchema } from '../../domain/documents.js';
import type { Sandboxed } from './at-sandbox.js';
import { openSandbox, performed, upTo } from './at-sandbox.js';
import { admitted, approved, opened, sender } from './house.js';

let sandbox: Sandboxed;
beforeAll(async () => {
  sandbox = await openSandbox({ httpTimeoutMs: 1_000 });
});
afterAll(async () => {
  await sandbox.close();
});

test('a price that rises after a request that got lost is asked for once, and then paid', async () => {
  const at = await sandbox.open('drift');
  try {
    const runId = await admitted(at);
    await approved(at, runId, 'plan');
    await upTo(at, runId, 'start-subscription');
    const first = await approved(at, runId, 'register-domain');
    await at.control.faults(at.world, [
      {
        provider: 'cloudflare',
        method: 'POST',
        path: '/client/v4/accounts/*/registrar/registrations',
        fault: 'hang',
        times: 1,
      },
    ]);
    await expect(at.gateway.perform(runId, 'register-domain', sender())).rejects.toBeDefined();
    await at.control.people(at.world, {
      do: 'set-domain-price',
      tld: 'club',
      registrationMinor: 1121,
    });
    await expect(performed(at, runId, 'register-domain')).rejects.toMatchObject({
      code: 'GRANT_VOID',
    });
    const next = await opened(at, runId, 'register-domain');
    expect(next.revision).toBe(first.revision + 1);
    expect(cardSchema.parse(JSON.parse(next.card)).changes).not.toEqual([]);
    await approved(at, runId, 'register-domain');
    expect(await performed(at, runId, 'register-domain')).toMatchObject({ spentMinor: 1121 });
  } finally {
    await at.close();
  }
}, 90_000);

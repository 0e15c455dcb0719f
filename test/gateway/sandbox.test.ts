import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { SandboxControl } from '../../sandbox/control-client.js';
import { openSandbox, performed, persist, takenBack, upTo } from './at-sandbox.js';
import type { Sandboxed } from './at-sandbox.js';
import { admitted, approved, decisionOf, opened, refusals } from './house.js';

/** The gateway with the real operations at the real sandbox: no Temporal, no doubles. */
let sandbox: Sandboxed;
let control: SandboxControl;
beforeAll(async () => {
  sandbox = await openSandbox();
  ({ control } = sandbox);
});
afterAll(() => sandbox.close());

test('approved and live: one of everything, and the page answers byte for byte', async () => {
  const at = await sandbox.open('approved');
  try {
    const runId = await admitted(at);
    await approved(at, runId, 'plan');
    await upTo(at, runId, 'attach-domain');
    const verified = await persist(at, () => at.gateway.verify(runId));
    expect(verified.note).toMatch(/approved bytes/);
    expect((await at.gateway.complete(runId)).phase).toBe('completed');
    const truth = await control.truth(at.world);
    expect(truth.charges.map(({ amountMinor }) => amountMinor).sort()).toEqual([1120, 1900]);
    expect(truth.unknownRoutes).toEqual([]);
    expect(await refusals(at)).toEqual([]);
  } finally {
    await at.close();
  }
});

test('act-then-drop on the charge and on the registration: one of each', async () => {
  const at = await sandbox.open('dropped');
  try {
    const runId = await admitted(at);
    await control.faults(at.world, [
      { provider: 'stripe', method: 'POST', path: '/v1/subscriptions', fault: 'act-then-drop' },
      {
        provider: 'cloudflare',
        method: 'POST',
        path: '/client/v4/accounts/*/registrar/registrations',
        fault: 'act-then-drop',
      },
    ]);
    await approved(at, runId, 'plan');
    await upTo(at, runId, 'register-domain');
    const truth = await control.truth(at.world);
    expect(truth.charges.map(({ amountMinor }) => amountMinor).sort()).toEqual([1120, 1900]);
  } finally {
    await at.close();
  }
});

test('a price that rises by a cent after approval is not paid: the next gate shows it', async () => {
  const at = await sandbox.open('drifted');
  try {
    const runId = await admitted(at);
    await approved(at, runId, 'plan');
    await upTo(at, runId, 'start-subscription');
    await approved(at, runId, 'register-domain');
    await control.people(at.world, {
      do: 'set-domain-price',
      tld: 'club',
      registrationMinor: 1121,
    });
    await expect(performed(at, runId, 'register-domain')).rejects.toMatchObject({
      code: 'GRANT_VOID',
    });
    const next = await opened(at, runId, 'register-domain');
    expect(next.revision).toBe(2);
    expect(next.card).toContain('11.21 USD');
    await at.gateway.recordDecision(runId, await decisionOf(at, next, at.ada), 'signal');
    await performed(at, runId, 'register-domain');
    const { charges } = await control.truth(at.world);
    expect(charges.map(({ amountMinor }) => amountMinor).sort()).toEqual([1121, 1900]);
  } finally {
    await at.close();
  }
});

test('unwound after the registration: money back, renewal off, and only what cannot go back stays', async () => {
  const at = await sandbox.open('unwound');
  try {
    const runId = await admitted(at);
    await approved(at, runId, 'plan');
    await upTo(at, runId, 'deploy-site');
    await at.gateway.recordFailure(runId, 'attach-domain', 'PROVIDER_REFUSED', 'for good');
    const { steps } = await at.gateway.closeDoor(runId, { kind: 'failure', step: 'attach-domain' });
    for (const step of steps) await takenBack(at, runId, step);
    const state = await at.gateway.finish(runId, 'the domain could not be attached');
    expect(state.phase).toBe('reversed');
    expect(state.residue.map(({ step, minor }) => [step, minor])).toContainEqual([
      'register-domain',
      1120,
    ]);
    const truth = await control.truth(at.world);
    expect(
      truth.charges.map(({ amountMinor, refundedMinor }) => amountMinor - refundedMinor).sort(),
    ).toEqual([0, 1120]);
  } finally {
    await at.close();
  }
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { quoteReaders } from '../../activities/quote-readers.js';
import { stepEffects } from '../../activities/step-effects.js';
import { packSite } from '../../client/bundle.js';
import { canonicalize } from '../../domain/canonical.js';
import type { Failure } from '../../domain/errors.js';
import type { Instance, RunId } from '../../domain/ids.js';
import { builtInPolicy } from '../../domain/policy/built-in.js';
import { policyDigestOf } from '../../domain/policy/schema.js';
import { EFFECT_STEPS } from '../../domain/steps.js';
import type { EffectStep } from '../../domain/steps.js';
import { createGateway, createParts } from '../../gateway/create-gateway.js';
import { createDoor } from '../../gateway/door.js';
import { createEgress } from '../../gateway/egress.js';
import { SandboxControl } from '../../sandbox/control-client.js';
import { startSandbox } from '../../sandbox/start.js';
import type { RunningSandbox } from '../../sandbox/start.js';
import { storeBundle } from '../../store/bundle-writes.js';
import { advanceClock } from '../../store/clock.js';
import { connect } from '../../store/connect.js';
import { migrate } from '../../store/migrate.js';
import { activatePolicy } from '../../store/policies.js';
import { freshDatabase } from '../helpers/database.js';
import { admitted, approved, decisionOf, opened, refusals, sender } from './house.js';
import type { Home } from './house.js';
import { enrolled } from './people.js';

/** The gateway with the real operations at the real sandbox: no Temporal, no doubles. */
let dataDir: string;
let sandbox: RunningSandbox;
let control: SandboxControl;
beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'countersign-gateway-'));
  sandbox = await startSandbox({ dataDir });
  control = new SandboxControl(sandbox);
});
afterAll(async () => {
  await sandbox.close();
  rmSync(dataDir, { recursive: true, force: true });
});

interface AtSandbox extends Home {
  readonly world: string;
}

async function openAt(world: string): Promise<AtSandbox> {
  const fresh = await freshDatabase();
  const { id } = await migrate(fresh.url, { mode: 'embedded' });
  const db = connect(fresh.url, { max: 6 });
  const minted = await control.credentials(world);
  const held = (role: 'actions' | 'compensations' | 'reads') => ({
    stripe: { apiKey: minted.stripe[role], origin: sandbox.apiUrl },
    cloudflare: { apiToken: minted.cloudflare[role], origin: sandbox.apiUrl },
  });
  const parts = createParts({
    db,
    door: createDoor(db),
    instance: id as Instance,
    operations: stepEffects,
    readers: quoteReaders,
    providers: 'sandbox',
    credentials: {
      actions: held('actions'),
      compensations: held('compensations'),
      reads: held('reads'),
    },
    settling: { stripe: 300, cloudflare: 300 },
    egress: createEgress({ edgeOverride: sandbox.edgeUrl }),
    httpTimeouts: { stripe: 3_000, cloudflare: 3_000 },
  });
  const people = await enrolled(db);
  const policy = builtInPolicy();
  await activatePolicy(db, {
    digest: policyDigestOf(policy),
    document: canonicalize(policy),
    activatedBy: 'test',
  });
  const site = packSite('examples/superseal/site');
  await storeBundle(db, site);
  await control.people(world, { do: 'standing-payment-method', card: 'visa' });
  // The account that our own credential belongs to: names are checked there before the principal has one.
  await control.people(world, {
    do: 'consent',
    email: 'platform@example.com',
    name: 'Countersign',
  });
  return {
    db,
    url: fresh.url,
    parts,
    gateway: createGateway(parts),
    instance: id as Instance,
    ...people,
    bundle: site.digest,
    world,
    advance: (ms) => advanceClock(db, ms),
    close: async () => {
      await db.destroy();
      await fresh.drop();
    },
  };
}

/** Tries until it answers, moving both clocks over each wait; a provider that needs real time gets a little. */
async function persist<T>(at: AtSandbox, body: () => Promise<T>): Promise<T> {
  let last: unknown;
  for (let round = 0; round < 40; round += 1) {
    try {
      return await body();
    } catch (error) {
      last = error;
      const { retryAfterMs, code } = error as Failure;
      if (!['OUTCOME_UNKNOWN', 'BUSY', 'PROVIDER_UNAVAILABLE'].includes(code)) throw error;
      await at.advance((retryAfterMs ?? 500) + 1);
      await control.clock(at.world, (retryAfterMs ?? 500) + 1);
    }
  }
  throw last;
}

const performed = (at: AtSandbox, runId: RunId, step: EffectStep) =>
  persist(at, () => at.gateway.perform(runId, step, sender()));

async function upTo(at: AtSandbox, runId: RunId, last: EffectStep): Promise<void> {
  for (const step of EFFECT_STEPS) {
    if (step === 'configure-dns') continue;
    if (step === 'register-domain') await approved(at, runId, 'register-domain');
    await performed(at, runId, step);
    if (step === last) return;
  }
}

test('approved and live: one of everything, and the page answers byte for byte', async () => {
  const at = await openAt('approved');
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
  const at = await openAt('dropped');
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
  const at = await openAt('drifted');
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
  const at = await openAt('unwound');
  try {
    const runId = await admitted(at);
    await approved(at, runId, 'plan');
    await upTo(at, runId, 'deploy-site');
    await at.gateway.recordFailure(runId, 'attach-domain', 'PROVIDER_REFUSED', 'for good');
    const { steps } = await at.gateway.closeDoor(runId, { kind: 'failure', step: 'attach-domain' });
    for (const step of steps)
      for (let round = 0; ; round += 1) {
        const answer = await at.gateway.reverse(runId, step, sender());
        if (answer.done) break;
        if (round > 40) throw new Error(`${step}: ${answer.why}`);
        await at.advance(answer.waitMs + 1);
        await control.clock(at.world, answer.waitMs + 1);
      }
    const state = await at.gateway.finish(runId, 'reversed', 'the domain could not be attached');
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

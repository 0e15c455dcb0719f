import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { canonicalize } from '../../domain/canonical.js';
import type { RunId } from '../../domain/ids.js';
import { policyDigestOf } from '../../domain/policy/schema.js';
import type { EffectStep } from '../../domain/steps.js';
import { stop } from '../../gateway/stop.js';
import { addPrincipal } from '../../store/people.js';
import { activatePolicy } from '../../store/policies.js';
import { without } from '../door/without.js';
import { ensureBuilt } from '../helpers/build.js';
import { trialPolicy } from '../helpers/trial-policy.js';
import { openSandbox, performed } from './at-sandbox.js';
import type { AtSandbox, Sandboxed } from './at-sandbox.js';
import { admitted, approved } from './house.js';

/**
 * A process that is frozen between the door's word and the request, stopped, and thawed: a real one, with SIGSTOP and
 * SIGCONT. What counts is what the stand-in for the provider was asked.
 */
const RUNNER = fileURLToPath(new URL('./frozen-runner.mjs', import.meta.url));
/** With the 2 s of the door a sender has 4 s: one that is let go on has to send within them on a busy machine too. */
const HTTP_TIMEOUT_MS = 2_000;
/** Longer than the door's word is good for by itself. */
const FREEZE_MS = 300;
const ROOMY = '900.00 USD';

let sandbox: Sandboxed;
let at: AtSandbox;
beforeAll(async () => {
  await ensureBuilt();
  sandbox = await openSandbox({ httpTimeoutMs: HTTP_TIMEOUT_MS });
  at = await sandbox.open('frozen');
  const policy = trialPolicy({
    override: {
      caps: {
        organisation: ROOMY,
        principal: ROOMY,
        agent: ROOMY,
        provider: ROOMY,
        principalProvider: ROOMY,
        run: ROOMY,
      },
    },
  });
  await activatePolicy(at.db, {
    digest: policyDigestOf(policy),
    document: canonicalize(policy),
    activatedBy: 'test',
  });
}, 400_000);
afterAll(async () => {
  // One that a failed test has left standing would stand for ever.
  for (const child of children) child.kill('SIGKILL');
  await at.close();
  await sandbox.close();
});
const children: ChildProcess[] = [];

interface Frozen {
  readonly runId: RunId;
  /** When it was seen to stand still, by the monotonic clock in ms. */
  readonly since: number;
  /** Lets it go on; answers how its step ended. */
  thaw(): Promise<string>;
}

/** A process at `place` of the step, standing still. */
async function frozenAt(runId: RunId, step: EffectStep, place: string): Promise<Frozen> {
  const given = [at.settings, runId, step, place].map((value) => JSON.stringify(value));
  const child = spawn(process.execPath, [RUNNER, ...given], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')));
  const ended = once(child, 'close');
  const stands = (): boolean =>
    said.startsWith('frozen\n') && / T /.test(readFileSync(`/proc/${child.pid}/stat`, 'utf8'));
  while (!stands()) {
    if (child.exitCode !== null) throw new Error(`it ended before ${place}: ${said}`);
    await pause(10);
  }
  return {
    runId,
    since: performance.now(),
    thaw: async () => {
      child.kill('SIGCONT');
      await ended;
      return said.replace('frozen\n', '').trim();
    },
  };
}

/** Waits until a frozen process has stood still for so long, in ms of real time. */
async function frozenFor({ since }: Frozen, ms: number): Promise<void> {
  const left = since + ms - performance.now();
  if (left > 0) await pause(left);
}

const stopRun = (runId: RunId) =>
  stop(at.parts, { scope: `run/${runId}`, reason: 'enough', by: 'p_ada', proven: true });

const changes = async (): Promise<string[]> =>
  (await sandbox.control.truth('frozen')).requests
    .filter(({ method }) => method !== 'GET')
    .map(({ method, path }) => `${method} ${path}`);

let runs = 0;
/** Each run is for a customer of its own: what one of them has, another run of theirs would adopt. */
async function newPrincipal(name: string): Promise<string> {
  const principal = `pr_${name}`;
  const email = `${name}@example.com`;
  await at.db
    .transaction()
    .execute((tx) => addPrincipal(tx, { principalId: principal, name, email }));
  await at.db
    .updateTable('service_keys')
    .set({ principals: sql`array_append(principals, ${principal}::text)` })
    .where('key_id', '=', at.service.keyId)
    .execute();
  return principal;
}

/** A run that may begin with this step. */
async function ready(step: EffectStep): Promise<RunId> {
  runs += 1;
  const runId = await admitted(at, `frozen-${runs}`, {
    goal: 'A site',
    principal: await newPrincipal(`frozen_${runs}`),
    domain: { name: `quiet-harbour-${runs}.club`, years: 1 },
  });
  await approved(at, runId, 'plan');
  if (step === 'link-account') await performed(at, runId, 'create-customer');
  return runId;
}

const CELLS = (['create-customer', 'link-account'] as const).flatMap((step) =>
  (['after-authorize', 'before-send'] as const).flatMap((place) =>
    (['before', 'after'] as const).map((when) => ({ step, place, when })),
  ),
);

test.each(CELLS)(
  'frozen $place of $step, stopped, and thawed $when its time was up, it asks the provider for nothing',
  async ({ step, place, when }) => {
    const frozen = await frozenAt(await ready(step), step, place);
    const before = (await sandbox.control.truth('frozen')).requests.length;
    const record = await stopRun(frozen.runId);
    expect(record.onTheWire).toHaveLength(1);
    await frozenFor(frozen, when === 'before' ? FREEZE_MS : HTTP_TIMEOUT_MS + 2_100);
    expect(await frozen.thaw()).toMatch(/^PROVIDER_UNAVAILABLE/);
    // Not even a read.
    expect((await sandbox.control.truth('frozen')).requests).toHaveLength(before);
    const rows = await at.parts.door.rows(frozen.runId);
    expect(rows.find((row) => row.step === step)).toMatchObject({ state: 'failed', attempt: 1 });
    // What surely did nothing is on the wire no more.
    expect((await at.parts.door.drained(record.scope)).onTheWire).toEqual([]);
    await expect(performed(at, frozen.runId, step)).rejects.toMatchObject({ code: 'FENCED' });
  },
  120_000,
);

test('frozen and thawed with no stop it asks the door again, and sends once', async () => {
  const frozen = await frozenAt(await ready('create-customer'), 'create-customer', 'before-send');
  const before = await changes();
  await frozenFor(frozen, FREEZE_MS);
  expect(await frozen.thaw()).toBe('done');
  expect((await changes()).slice(before.length)).toEqual(['POST /v1/customers']);
}, 120_000);

test('it is the fence that the last look sees: without it the request leaves after the stop', async () => {
  const frozen = await frozenAt(await ready('create-customer'), 'create-customer', 'before-send');
  const before = await changes();
  await stopRun(frozen.runId);
  await frozenFor(frozen, FREEZE_MS);
  await without(at.db, ['fence-still'], async () => {
    expect(await frozen.thaw()).toBe('done');
  });
  expect((await changes()).slice(before.length)).toEqual(['POST /v1/customers']);
}, 120_000);

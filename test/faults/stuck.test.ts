import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Worker } from '@temporalio/worker';
import { eventually } from '../../cli/demo/stage.js';
import { Failure } from '../../domain/errors.js';
import type { RunState } from '../../domain/plan.js';
import { EFFECT_STEPS, type EffectStep } from '../../domain/steps.js';
import { endOf, reached, startHarness, type Harness } from '../workflows/harness.js';
import { ManyDoubles } from './many-doubles.js';

/** Reversals that fail for good, on the real workflow with a stand-in for the gateway. */
let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
}, 120_000);
afterAll(() => harness.close());

/** What may not be taken away from under a step that stays. */
const CARRIES: Readonly<Partial<Record<EffectStep, readonly EffectStep[]>>> = {
  'start-subscription': ['create-customer'],
  'register-domain': ['link-account'],
  'configure-dns': ['link-account'],
  'deploy-site': ['link-account'],
  'attach-domain': ['deploy-site', 'link-account'],
};

const about = (state: RunState, step: EffectStep) => ({
  report: state.steps.find((known) => known.step === step),
  residue: state.residue.filter((left) => left.step === step),
});

test('whichever reversal fails for good, the run is stuck there by name, with what is left and its cost, and the others are done', async () => {
  const doubles = new ManyDoubles();
  await harness.withWorkers(doubles.gateway(), async () => {
    await Promise.all(
      EFFECT_STEPS.map(async (step) => {
        const double = doubles.add(`stuck-${step}`);
        // Everything is done, and then the last step fails though it has acted.
        double.behaviour['attach-domain'] = 'act-then-fail';
        double.irreversible.add(step);
        const handle = await harness.start(`stuck-${step}`);
        const state = await reached(handle, 'stuck');
        const kept = [step, ...(CARRIES[step] ?? [])];
        expect({ step, living: [...double.living] }).toEqual({
          step,
          living: EFFECT_STEPS.filter((other) => kept.includes(other)),
        });
        expect(state.why).toBe(
          `${step}: ${step} cannot be reversed; left: ${step}-object, 1.00 USD`,
        );
        expect(state.waitsFor?.command).toContain(`resolve stuck-${step} --step ${step} --retry`);
        expect(about(state, step)).toEqual({
          report: expect.objectContaining({ outcome: 'stuck', object: `${step}-object` }),
          residue: [{ step, minor: 100, text: `${step}-object, until it is resolved` }],
        });
        await handle.signal('resolve', 'signed');
        expect((await endOf(handle)).type).toBe('RUN_REVERSED');
        expect([...double.living]).toEqual([]);
        const undone = double.order.filter((line) => line.startsWith('undo'));
        expect([...undone].sort()).toEqual(EFFECT_STEPS.map((other) => `undo ${other}`).sort());
      }),
    );
  });
}, 180_000);

test('several reversals that fail for good are all named, and one word from a person has all of them tried again', async () => {
  const doubles = new ManyDoubles();
  await harness.withWorkers(doubles.gateway(), async () => {
    const double = doubles.add('stuck-twice');
    double.behaviour['attach-domain'] = 'refuse';
    double.irreversible.add('start-subscription').add('configure-dns');
    const handle = await harness.start('stuck-twice');
    const { why, residue } = await reached(handle, 'stuck');
    expect(why).toMatch(/^configure-dns: .*; left: .*1\.00 USD\. start-subscription: .*1\.00 USD$/);
    expect(residue.map(({ step }) => step)).toEqual(['start-subscription', 'configure-dns']);
    expect([...double.living]).toEqual([
      'create-customer',
      'link-account',
      'start-subscription',
      'configure-dns',
    ]);
    await handle.signal('resolve', 'signed');
    expect((await endOf(handle)).type).toBe('RUN_REVERSED');
    expect([...double.living]).toEqual([]);
  });
}, 120_000);

test('a reversal whose provider does not answer holds up only what it stands on, for as long as it takes', async () => {
  const doubles = new ManyDoubles();
  await harness.withWorkers(doubles.gateway(), async () => {
    let away = true;
    const double = doubles.add('away', (_, base) => ({
      reverse: (runId, step, sender) =>
        step === 'deploy-site' && away
          ? Promise.reject(new Failure('PROVIDER_UNAVAILABLE', 'nobody answers'))
          : base.reverse(runId, step, sender),
    }));
    double.behaviour['attach-domain'] = 'act-then-fail';
    const handle = await harness.start('away');
    // The account, in which the site lies, is not taken from under it.
    await eventually('the others are taken back', () =>
      Promise.resolve(
        [...double.living].join() === 'link-account,deploy-site' ? double : undefined,
      ),
    );
    const state = await handle.query<RunState>('state');
    expect(state.phase).toBe('unwinding');
    expect(about(state, 'link-account').report).toMatchObject({ note: 'waits for deploy-site' });
    away = false;
    expect((await endOf(handle)).type).toBe('RUN_REVERSED');
    expect([...double.living]).toEqual([]);
    expect(double.order.slice(-2)).toEqual(['undo deploy-site', 'undo link-account']);
    await Worker.runReplayHistory(
      { workflowBundle: harness.bundle },
      await handle.fetchHistory(),
      handle.workflowId,
    );
  });
}, 180_000);

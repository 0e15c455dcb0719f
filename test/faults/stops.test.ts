import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { WorkflowHandle } from '@temporalio/client';
import { Failure } from '../../domain/errors.js';
import { EFFECT_STEPS, STEPS, type StepName } from '../../domain/steps.js';
import type { Gateway, GateStatus } from '../../gateway/contract.js';
import type { GatewayDouble } from '../workflows/double.js';
import { decision, endOf, reached, startHarness, type Harness } from '../workflows/harness.js';
import { latch, ManyDoubles, type Latch } from './many-doubles.js';

/**
 * A stop, and a cancel through Temporal, at each moment of each step and of each gate: the real workflow, and a stand-in
 * for the gateway that forgets nothing by itself. Verdicts come from what the stand-in was asked for, never from the run.
 */
let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
}, 120_000);
afterAll(() => harness.close());

const WAYS = {
  stop: (handle: WorkflowHandle) =>
    handle.signal('stop', { mode: 'unwind', reason: 'enough', by: 'p_x' }),
  cancel: (handle: WorkflowHandle) => handle.cancel(),
} as const;
type Way = keyof typeof WAYS;

type Conduct = (at: Latch, step: StepName, base: Gateway) => Partial<Gateway>;

/** Holds the step's own call: before it acts, or when it has acted and its answer is on its way. */
const held =
  (when: 'before' | 'after'): Conduct =>
  (at, step, base) => ({
    perform: async (runId, asked, sender) => {
      if (asked === step && when === 'before') await at.pass();
      // A request on the wire runs to its end, whatever was stopped meanwhile.
      const done = await base.perform(runId, asked, sender);
      if (asked === step && when === 'after') await at.pass();
      return done;
    },
    verify: async (runId) => {
      if (step === 'verify-site') await at.pass();
      return base.verify(runId);
    },
  });

const MOMENTS: Readonly<Record<string, { begun: boolean; of: Conduct }>> = {
  'before it begins': {
    begun: false,
    of: (at, step, base) => ({
      readiness: async (runId, asked) => {
        if (asked === step) await at.pass();
        return base.readiness(runId, asked);
      },
    }),
  },
  'while it waits to be tried again': {
    begun: true,
    of: (at, step, base) => {
      const busy = (): Failure => {
        void at.pass();
        return new Failure('PROVIDER_UNAVAILABLE', `${step}: busy`, {}, 3_600_000);
      };
      return {
        perform: (runId, asked, sender) =>
          asked === step ? Promise.reject(busy()) : base.perform(runId, asked, sender),
        verify: (runId) => (step === 'verify-site' ? Promise.reject(busy()) : base.verify(runId)),
      };
    },
  },
  'while its request is in flight': { begun: true, of: held('before') },
  'when it has acted and its answer is not on record': { begun: true, of: held('after') },
};

/** Only the verify-site that reads has no readiness to ask for. */
const stepsAt = (moment: string): readonly StepName[] =>
  STEPS.filter((step) => step !== 'verify-site' || moment !== 'before it begins');

const doneBefore = (step: StepName, inclusive: boolean): readonly StepName[] =>
  EFFECT_STEPS.slice(0, STEPS.indexOf(step) + (inclusive ? 1 : 0));

interface Verdict {
  readonly type: string;
  readonly living: readonly string[];
  readonly undone: readonly string[];
  readonly begunAfterwards: readonly string[];
}

/** Stops the run where it stands at the latch, lets it go, and sees what was asked of the stand-in. */
async function stopped(
  run: { readonly handle: WorkflowHandle; readonly double: GatewayDouble; readonly at: Latch },
  way: Way,
): Promise<Verdict> {
  const { handle, double, at } = run;
  await at.reached;
  const before = double.order.filter((line) => line.startsWith('do')).length;
  await WAYS[way](handle);
  while (!double.stopped) await handle.query('state');
  // The stand-in itself would let every later step through: only the executor can stand still.
  double.stopped = false;
  at.open();
  const { type } = await endOf(handle);
  const of = (verb: string) =>
    double.order.filter((line) => line.startsWith(`${verb} `)).map((line) => line.split(' ')[1]!);
  return {
    type,
    living: [...double.living],
    undone: of('undo'),
    begunAfterwards: of('do').slice(before),
  };
}

const cells = Object.entries(MOMENTS).flatMap(([moment, conduct]) =>
  (Object.keys(WAYS) as Way[]).map((way) => ({ moment, way, ...conduct })),
);

test.each(cells)(
  'a $way that comes to each step $moment takes back what was done, and nothing more is done',
  async ({ moment, way, begun, of }) => {
    const doubles = new ManyDoubles();
    await harness.withWorkers(doubles.gateway(), async () => {
      const verdicts = await Promise.all(
        stepsAt(moment).map(async (step) => {
          const at = latch();
          const runId = `${way}-${Object.keys(MOMENTS).indexOf(moment)}-${step}`;
          const double = doubles.add(runId, (_double, base) => of(at, step, base));
          const handle = await harness.start(runId);
          return [step, await stopped({ handle, double, at }, way)] as const;
        }),
      );
      expect(verdicts).toEqual(
        stepsAt(moment).map((step) => [
          step,
          {
            type: 'RUN_REVERSED',
            living: [],
            undone: [...doneBefore(step, begun)].reverse(),
            // The one in flight lands; it was waited for, and is taken back with the others.
            begunAfterwards:
              moment === 'while its request is in flight' && step !== 'verify-site' ? [step] : [],
          } satisfies Verdict,
        ]),
      );
    });
  },
  120_000,
);

const OPEN: GateStatus = { state: 'open', remainingMs: 600_000, missing: 'one approver' };
const GATES = { plan: [], 'register-domain': doneBefore('register-domain', false) } as const;
type GateName = keyof typeof GATES;
type GateConduct = (at: Latch, gate: GateName, base: Gateway) => Partial<Gateway>;

const AT_GATES: Readonly<Record<string, GateConduct>> = {
  'while it is being opened': (at, gate, base) => ({
    openGate: async (runId, asked) => {
      if (asked === gate) await at.pass();
      return base.openGate(runId, asked);
    },
  }),
  'while an approval is being recorded': (at, _gate, base) => ({
    recordDecision: async (runId, message, road) => {
      await at.pass();
      return base.recordDecision(runId, message, road);
    },
  }),
  'when it has been granted and the run does not know yet': (at, gate, base) => ({
    gateStatus: async (runId, gateId) => {
      const status = await base.gateStatus(runId, gateId);
      if (gateId.includes(`:${gate}:`) && status.state === 'granted') await at.pass();
      return status;
    },
  }),
};

const atGates = Object.keys(AT_GATES).flatMap((moment) =>
  (Object.keys(WAYS) as Way[]).map((way) => ({ moment, way })),
);

test.each(atGates)(
  'a $way that comes to each gate $moment lets nobody through it',
  async ({ moment, way }) => {
    const doubles = new ManyDoubles();
    await harness.withWorkers(doubles.gateway(), async () => {
      const verdicts = await Promise.all(
        (Object.keys(GATES) as GateName[]).map(async (gate) => {
          const at = latch();
          const runId = `${way}-gate-${Object.keys(AT_GATES).indexOf(moment)}-${gate}`;
          const double = doubles.add(runId, (_double, base) => AT_GATES[moment]!(at, gate, base));
          double.gateStates.set(gate, OPEN);
          const handle = await harness.start(runId);
          if (moment !== 'while it is being opened') {
            await reached(handle, 'awaiting-approval');
            await handle.signal('decide', decision(handle.workflowId, 'approve', { gate }));
          }
          return [gate, await stopped({ handle, double, at }, way)] as const;
        }),
      );
      expect(verdicts).toEqual(
        Object.entries(GATES).map(([gate, done]) => [
          gate,
          { type: 'RUN_REVERSED', living: [], undone: [...done].reverse(), begunAfterwards: [] },
        ]),
      );
    });
  },
  120_000,
);

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openContext } from '../../cli/context.js';
import { eventually, openStage, type Stage } from '../../cli/demo/stage.js';
import type { Io } from '../../cli/io.js';
import { calling, services, serving } from '../../cli/verbs/up.js';
import { NoTerminal } from '../../client/errors.js';
import type { RunHandle } from '../../client/run-handle.js';
import { processVariables } from '../../config/environment.js';
import type { Policy } from '../../domain/policy/schema.js';
import type { RunState } from '../../domain/plan.js';
import { connect } from '../../store/connect.js';
import { ensureBuilt, ROOT } from './build.js';

export interface TestStage extends Stage {
  /** All that this process printed as the command line. */
  said(): string;
}

/** A machine that reports a small memory would get one worker for all roles. */
const ENOUGH_BYTES = 64 * 1024 ** 3;
/** Everything here is done many times at once on a machine that may be busy with other tests. In ms. */
export const PATIENCE_MS = 420_000;

/** Many runs at once, each tried often: counts and sums that a single customer never needs. */
export const ROOMY: Partial<Policy> = {
  counts: { operationsPerRun: 100, openRunsPerAgent: 500, runsPerHour: 500 },
};

/**
 * The real stack, each part a process of its own, with the demo's people; children run what `ensureBuilt` compiled.
 * `actionWorkers`: how many processes share the queue of the actions. `memoryBytes`: as if the machine had so much.
 * `worker`: another program for every worker. `server`: with the HTTP server, which the stand-in for Stripe calls, as `up` has it.
 */
export async function openTestStage({
  actionWorkers = 1,
  memoryBytes = ENOUGH_BYTES,
  worker = undefined as string | undefined,
  server = false,
} = {}): Promise<TestStage> {
  const built = await ensureBuilt();
  const program = (name: string): string => path.join(built, 'cli', 'programs', `${name}.js`);
  const cwd = mkdtempSync(path.join(tmpdir(), 'countersign-stage-'));
  let said = '';
  const io: Io = {
    variables: processVariables(),
    cwd,
    out: (text) => (said += text),
    err: (text) => (said += text),
    outIsTerminal: false,
    errIsTerminal: false,
    columns: 100,
    openTerminal: () => {
      throw new NoTerminal();
    },
    interrupted: new AbortController().signal,
  };
  const stage = await openStage(openContext(io, {}), {
    site: path.join(ROOT, 'examples/superseal/site'),
    services: (ports) => {
      const made = services(ports, memoryBytes, {
        worker: worker ?? program('worker'),
        sandbox: program('sandbox'),
      });
      const whole = server
        ? [...made.map((one) => calling(one, ports)), serving(ports, program('server'))]
        : made;
      const actions = made.filter(({ name }) => name === 'worker-actions');
      const more = Array.from({ length: actionWorkers - 1 }, (_, index) =>
        actions.map((one) => ({ ...one, name: `worker-actions-${index + 2}` })),
      );
      return [...whole, ...more.flat()];
    },
  });
  await stage.policy(ROOMY);
  // Tests look at everything and plant what nobody could write: as the owner, which none of the processes is.
  const db = connect(stage.stack.ownerUrl, { max: 4 });
  return {
    ...stage,
    db,
    said: () => said,
    close: async () => {
      await db.destroy();
      await stage.close();
      rmSync(cwd, { recursive: true, force: true });
    },
  };
}

const ENDED = new Set<string>(['completed', 'reversed', 'denied', 'rejected', 'expired']);

/** Waits, patiently, until the run has ended. */
export function ended(handle: RunHandle): Promise<RunState> {
  return reached(handle, ({ phase }) => ENDED.has(phase));
}

/** Waits, patiently, until the run's state is as wanted. */
export function reached(handle: RunHandle, is: (state: RunState) => boolean): Promise<RunState> {
  return eventually(
    `run ${handle.runId}`,
    async () => {
      const state = await handle.state().catch(() => undefined);
      return state !== undefined && is(state) ? state : undefined;
    },
    PATIENCE_MS,
  );
}

/** Waits, patiently, until the run stands at a gate; then reads its card and approves it. */
export async function approve(stage: Stage, handle: RunHandle, gate: string): Promise<void> {
  await reached(handle, ({ openGate, phase }) => openGate?.gate === gate || ENDED.has(phase));
  await stage.approve(handle.runId, gate);
}

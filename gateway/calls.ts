import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { Failure } from '../domain/errors.js';
import type { RunId } from '../domain/ids.js';
import type { ProviderName } from '../domain/steps.js';
import { readRun } from '../store/admissions.js';
import { noteCall, takeCalls } from '../store/calls.js';
import type { Met, Taken } from '../store/calls.js';
import type { Database } from '../store/connect.js';

/** On whose behalf calls leave: a run's agent; or a reversal, for which a third of the rate is kept. */
export interface Caller {
  readonly runId: RunId;
  readonly reversal: boolean;
}

/** Every request to a provider asks here first, reads among them (gateway/send-once.ts). */
export interface Calls {
  /**
   * Names the caller of all that `body` sends. What fails because its calls had to wait says so, and not that a
   * provider refused. @throws PROVIDER_WAITS; BUSY for a reversal
   */
  as<T>(caller: Caller, body: () => Promise<T>): Promise<T>;
  /** Has a few calls at hand before anything is begun. @throws PROVIDER_WAITS; BUSY for a reversal */
  ready(provider: ProviderName): Promise<void>;
  /** One call may leave. @throws PROVIDER_WAITS; BUSY for a reversal */
  take(provider: ProviderName): Promise<void>;
  met(provider: ProviderName, what: Met): void;
}

/** Where nobody counts: tests of the gateway by itself. */
export const UNCOUNTED: Calls = {
  as: (_caller, body) => body(),
  ready: () => Promise.resolve(),
  take: () => Promise.resolve(),
  met: () => undefined,
};

/** Calls are taken in lots, so that most of them cost no round trip; a lot goes stale. */
const LOT = 4;
const LOT_MS = 1_000;
/** A caller waits this long in place; then it is told to come again. In ms. */
const PATIENCE_MS = 2_000;

interface Lot {
  left: number;
  readonly until: number;
}

/** A caller as its calls are counted, and why its last one could not leave. */
interface Standing {
  readonly agent: string;
  readonly reversal: boolean;
  waits?: Failure;
}

/** How many runs' agents, and how many lots, are remembered. */
const REMEMBERED = 1_000;

/**
 * Calls counted in the control database, for all processes together. `counted: false`, for stand-ins, which have no rate
 * to keep: only their breaker.
 */
export function countedCalls(db: Database, { counted = true } = {}): Calls {
  const standing = new AsyncLocalStorage<Standing>();
  const lots = new Map<string, Lot>();
  const agents = new Map<RunId, string>();
  // Providers of which this process has told a failure: only then an answer is worth telling.
  const suspected = new Set<ProviderName>();
  const agentOf = async (runId: RunId): Promise<string> => {
    const agent = agents.get(runId) ?? (await readRun(db, runId))?.agent ?? '';
    if (agents.size >= REMEMBERED) agents.clear();
    if (agent !== '') agents.set(runId, agent);
    return agent;
  };
  const lotFor = async (provider: ProviderName): Promise<Lot> => {
    const caller = standing.getStore() ?? { agent: '', reversal: false };
    const { agent, reversal } = caller;
    const name = `${provider} ${reversal ? 'reversal' : agent}`;
    for (let waited = 0; ;) {
      const held = lots.get(name);
      if (held !== undefined && held.left > 0 && performance.now() < held.until) return held;
      const taken = await takeCalls(db, { provider, agent, reversal, want: LOT, counted });
      if (taken.granted > 0) {
        if (taken.why === 'trial') suspected.add(provider);
        if (lots.size >= REMEMBERED) lots.clear();
        const lot = { left: taken.granted, until: performance.now() + LOT_MS };
        lots.set(name, lot);
        return lot;
      }
      waited += taken.wait_ms;
      if (taken.why === 'breaker' || waited > PATIENCE_MS) {
        caller.waits = waits(provider, taken, reversal);
        throw caller.waits;
      }
      await pause(taken.wait_ms);
    }
  };
  return {
    as: async ({ runId, reversal }, body) => {
      const caller: Standing = { agent: await agentOf(runId), reversal };
      try {
        return await standing.run(caller, body);
      } catch (error) {
        // An SDK wraps what stopped its request in an error of its own.
        if (caller.waits !== undefined && isUnavailable(error)) throw caller.waits;
        throw error;
      }
    },
    ready: async (provider) => {
      await lotFor(provider);
    },
    take: async (provider) => {
      (await lotFor(provider)).left -= 1;
    },
    met: (provider, what) => {
      if (what === 'answer' && !suspected.delete(provider)) return;
      if (what !== 'answer') suspected.add(provider);
      // Nobody waits for it; that the database is away is told elsewhere.
      noteCall(db, provider, what).catch(() => undefined);
    },
  };
}

const isUnavailable = (error: unknown): boolean =>
  error instanceof Failure && error.code === 'PROVIDER_UNAVAILABLE';

function waits(
  provider: ProviderName,
  { why, wait_ms: waitMs }: Taken,
  reversal: boolean,
): Failure {
  const what = why === 'breaker' ? 'it does not answer' : 'the calls that it allows are used up';
  // A reversal goes on trying for days by itself; a run that goes forward waits outside of the time of its step.
  return new Failure(
    reversal ? 'BUSY' : 'PROVIDER_WAITS',
    `waits for ${provider}: ${what}`,
    { provider, why: why ?? 'rate' },
    waitMs,
  );
}

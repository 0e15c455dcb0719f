import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { sql } from 'kysely';
import type { RunId } from '../domain/ids.js';
import { createGateway } from '../gateway/create-gateway.js';
import { deadlineIn } from '../gateway/deadline.js';
import type { Door } from '../gateway/door-contract.js';
import type { Operation, OperationContext } from '../gateway/operation.js';
import type { Parts } from '../gateway/parts.js';
import { admitted, approved, perform, sender } from '../test/gateway/house.js';
import type { House } from '../test/gateway/house.js';
import { performUnjudged, takeOutChecks, timed } from './no-op-gateway.js';
import { inMeasuredHouse, newPrincipal, roomyPolicy } from './measured-house.js';

/** Times of one kind, in ms, in the order in which they were taken. */
export interface EffectCost {
  /** `check` and `send` by the real SDK, nothing around them: the gateway that does nothing. */
  readonly bare: readonly number[];
  /** A gateway that keeps its record of the effect and judges nothing: no policy, no grant, no ledger. */
  readonly unjudged: readonly number[];
  /** The same under policy, a grant verified anew, the door and the ledger. */
  readonly governed: readonly number[];
  readonly authorize: readonly number[];
  readonly settle: readonly number[];
  /** One empty query over the same connection: what a round trip to the database costs by itself. */
  readonly roundTrip: readonly number[];
}

/** What the measured step stands on. */
const BEFORE = ['create-customer', 'link-account'] as const;

/**
 * Measures one paid effect (`start-subscription`, approved by a person's signature) with and without the gateway,
 * turn by turn in one process, against a scripted provider that answers at once.
 */
export const measureEffects = (count: number): Promise<EffectCost> =>
  inMeasuredHouse(roomyPolicy(), (house) =>
    inMeasuredHouse(roomyPolicy(), (unjudging) => turns(house, unjudging, count)),
  );

/** Runs, admitted and approved, that have done everything up to the measured step. */
async function ready(house: House, count: number): Promise<RunId[]> {
  const runs: RunId[] = [];
  for (let i = 0; i <= count; i += 1) {
    const principal = await newPrincipal(house, i);
    const runId = await admitted(house, `bench-${i}`, { principal });
    await approved(house, runId, 'plan');
    for (const step of BEFORE) await perform(house, runId, step);
    runs.push(runId);
  }
  return runs;
}

async function turns(house: House, unjudging: House, count: number): Promise<EffectCost> {
  const times: Record<keyof EffectCost, number[]> = {
    bare: [],
    unjudged: [],
    governed: [],
    authorize: [],
    settle: [],
    roundTrip: [],
  };
  const parts: Parts = { ...house.parts, door: timedDoor(house.parts.door, times) };
  const gateway = createGateway(parts);
  const runs = await ready(house, count);
  const others = await ready(unjudging, count);
  await takeOutChecks(unjudging.db);
  for (const [turn, runId] of runs.entries()) {
    // What earlier turns made would be listed at each look, and take longer to read at every one.
    house.stub.forgetThings();
    unjudging.stub.forgetThings();
    const other = others[turn];
    if (other === undefined) throw new Error('as many runs on both sides');
    const roundTrip = await timed(() => sql`select 1`.execute(house.db));
    const bare = await timed(() => sendBare(house));
    const unjudged = await timed(() =>
      performUnjudged(unjudging.parts, other, 'start-subscription'),
    );
    const governed = await timed(() => gateway.perform(runId, 'start-subscription', sender()));
    // The first turn warms everything up.
    if (turn === 0) {
      times.authorize.length = 0;
      times.settle.length = 0;
      continue;
    }
    times.roundTrip.push(roundTrip);
    times.bare.push(bare);
    times.unjudged.push(unjudged);
    times.governed.push(governed);
  }
  return times;
}

function timedDoor(door: Door, times: Record<'authorize' | 'settle', number[]>): Door {
  const timing = <In, Out>(kind: 'authorize' | 'settle', call: (of: In) => Promise<Out>) => {
    return async (of: In): Promise<Out> => {
      const began = performance.now();
      const answer = await call(of);
      times[kind].push(performance.now() - began);
      return answer;
    };
  };
  return {
    ...door,
    authorize: timing('authorize', (ask) => door.authorize(ask)),
    settle: timing('settle', (result) => door.settle(result)),
  };
}

/** What an activity without a gateway would do: the same look, the same request, the same SDK. */
async function sendBare({ parts }: House): Promise<void> {
  const effects = parts.effects.get('subscriptions.create');
  if (effects === undefined) throw new Error('no operation subscriptions.create');
  const operation = effects.operation as unknown as Operation;
  const transmission = { begun: 0, changes: new Set<string>() };
  const reads = parts.providers.forReading('actions');
  const sends = parts.providers.forSending('actions', {
    deadline: deadlineIn(5_000, parts.clocks),
    transmission,
  });
  const marker = `bare/${randomBytes(8).toString('hex')}`;
  const of = (clients: typeof sends): OperationContext => ({
    client: clients[operation.provider],
    account: 'bare',
    marker,
    key: marker,
    bundle: () => Promise.resolve([]),
    costMaxMinor: 1900,
  });
  const params = operation.params.parse({ step: 'start-subscription' });
  await operation.check?.(of(reads), params);
  await operation.send(of(sends), params);
}

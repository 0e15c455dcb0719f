import { Sender } from './sender.js';
import { Unwinder } from './unwinder.js';
import { World, type WorldOptions } from './world.js';
import type { Scratch } from './seed.js';

export const ONE = 'create-customer' as const;
export const TWO = 'register-domain' as const;

export const keyless: WorldOptions = { steps: [ONE], keyed: [] };
export const keyed: WorldOptions = { steps: [ONE], keyed: [ONE] };
export const pivot: WorldOptions = { steps: [ONE, TWO], keyed: [ONE], pivot: TWO };

export interface Scenario {
  /** The guard, as the TLA+ model and the marks in the functions call it. */
  readonly guard: string;
  /** Guards that hold the same schedule up by themselves: out in both runs, or the test could not fail. */
  readonly partners?: readonly string[];
  readonly violates: string;
  readonly options: WorldOptions;
  /** The shortest schedule that breaks the protocol without the guard; each call may be refused. */
  readonly play: (world: World) => Promise<void>;
}

/** Plays a scenario on a run of its own; answers the world as it is afterwards. */
export async function play(
  scratch: Scratch,
  scenario: Scenario,
  options: WorldOptions = scenario.options,
): Promise<World> {
  const world = await World.create(scratch, options);
  await scenario.play(world);
  await world.check();
  return world;
}

export const sender = (world: World, name: string): Promise<Sender> =>
  new Sender(name, world).start(ONE);

/** Attempt 1 is sent, stays on the wire, and its sender settles "unknown". */
export async function firstUnknown(world: World): Promise<void> {
  const s1 = await sender(world, 's1');
  await s1.authorize();
  s1.send();
  s1.timesOut();
  await s1.settle();
}

export async function arriveAll(world: World): Promise<void> {
  for (const request of [...world.wire]) await world.arrive(request);
}

export async function succeed(world: World): Promise<void> {
  const s1 = await sender(world, 's1');
  await s1.authorize();
  s1.send();
  await arriveAll(world);
  await s1.settle();
}

export async function ticks(world: World, count: number): Promise<void> {
  for (let left = count; left > 0; left -= 1) await world.tick();
}

/** An unwinder works alone until it has nothing left to do or has to wait for `patience` ticks. */
export async function unwind(
  world: World,
  options: { readonly patience: number; readonly name?: string },
): Promise<void> {
  const unwinder = new Unwinder(options.name ?? 'u1', world);
  let patience = options.patience;
  for (let turn = 0; turn < 200 && !world.ends.has('reversed'); turn += 1) {
    if (await unwinder.step()) continue;
    if (patience === 0) return;
    patience -= 1;
    await world.tick();
  }
}

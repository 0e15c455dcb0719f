import { Sender } from './sender.js';
import { Unwinder } from './unwinder.js';
import {
  arriveAll,
  firstUnknown,
  keyed,
  keyless,
  pivot,
  sender,
  succeed,
  ticks,
  TWO,
  unwind,
  type Scenario,
} from './scenario.js';

/** Guards of fence, grant, door, unwinding and money. */
export const ENDING: readonly Scenario[] = [
  {
    guard: 'fence-authorize',
    violates: 'I2_NothingAfterStop',
    options: keyless,
    play: async (world) => {
      await world.stop();
      await (await sender(world, 's1')).authorize();
    },
  },
  {
    guard: 'fence-claim',
    violates: 'I2_NothingAfterStop',
    options: keyed,
    play: async (world) => {
      await firstUnknown(world);
      const s2 = await sender(world, 's2');
      await s2.reads();
      await world.stop();
      await s2.claim();
    },
  },
  {
    guard: 'grant-authorize',
    violates: 'I5_LiveGrant',
    options: keyless,
    play: async (world) => {
      await world.grantDies();
      await (await sender(world, 's1')).authorize();
    },
  },
  {
    guard: 'grant-claim',
    violates: 'I5_LiveGrant',
    options: keyed,
    play: async (world) => {
      await firstUnknown(world);
      const s2 = await sender(world, 's2');
      await s2.reads();
      await world.grantDies();
      await s2.claim();
    },
  },
  ...(['door-authorize', 'tombstone'] as const).map((guard): Scenario => ({
    guard,
    partners: [guard === 'tombstone' ? 'door-authorize' : 'tombstone'],
    violates: 'I3_ReversedIsReversed',
    options: keyless,
    play: async (world) => {
      const s1 = await sender(world, 's1');
      await unwind(world, { patience: 1 });
      await s1.authorize();
      s1.send();
      await arriveAll(world);
    },
  })),
  ...(['door-claim', 'row-closing'] as const).map((guard): Scenario => ({
    guard,
    partners: [guard === 'row-closing' ? 'door-claim' : 'row-closing', 'close-absent'],
    violates: 'I3_ReversedIsReversed',
    options: keyless,
    play: async (world) => {
      await firstUnknown(world);
      for (const request of [...world.wire]) world.lose(request);
      await ticks(world, 4);
      const u1 = new Unwinder('u1', world);
      // door, mark, and two reads a tick apart: surely absent, and about to be closed as such
      for (let turn = 0; turn < 4; turn += 1) await u1.step();
      await world.tick();
      for (let turn = 0; turn < 3; turn += 1) await u1.step();
      const s2 = await sender(world, 's2');
      await s2.claim();
      s2.send();
      for (let turn = 0; turn < 3; turn += 1) await u1.step();
      await arriveAll(world);
    },
  })),
  {
    guard: 'closing-first',
    violates: 'I6_Completed',
    options: keyless,
    play: async (world) => {
      await succeed(world);
      const u1 = new Unwinder('u1', world);
      await u1.step();
      await world.complete();
      for (let turn = 0; turn < 4; turn += 1) await u1.step();
    },
  },
  {
    guard: 'unwind-wait',
    violates: 'I3_ReversedIsReversed',
    options: keyless,
    play: async (world) => {
      const s1 = await sender(world, 's1');
      await s1.authorize();
      const u1 = new Unwinder('u1', world);
      for (let turn = 0; turn < 4; turn += 1) await u1.step();
      await world.tick();
      s1.send();
      for (let turn = 0; turn < 4; turn += 1) await u1.step();
      await arriveAll(world);
    },
  },
  {
    guard: 'order',
    violates: 'I8_Order',
    options: pivot,
    play: async (world) => {
      const s1 = await new Sender('s1', world).start(TWO);
      await s1.authorize();
    },
  },
  {
    guard: 'complete-door',
    violates: 'I6_Completed',
    options: keyless,
    play: async (world) => {
      await succeed(world);
      await world.complete();
      await unwind(world, { patience: 4 });
    },
  },
  {
    guard: 'drained-settling',
    violates: 'I2_Drained',
    options: keyless,
    play: async (world) => {
      const s1 = await sender(world, 's1');
      await s1.authorize();
      await world.tick();
      s1.send();
      await world.stop();
      await world.tick();
      await arriveAll(world);
    },
  },
  {
    guard: 'drained-known',
    violates: 'I2_Drained',
    options: keyless,
    play: async (world) => {
      await firstUnknown(world);
      await world.stop();
      await arriveAll(world);
    },
  },
  {
    guard: 'book-by-reservation',
    violates: 'I4_Books',
    options: { ...keyed, monthTurnsAfterTicks: 1 },
    play: async (world) => {
      const s1 = await sender(world, 's1');
      await s1.authorize();
      s1.send();
      await arriveAll(world);
      await ticks(world, 2);
      await world.otherReserves();
      await s1.settle();
    },
  },
  {
    guard: 'month-authorize',
    violates: 'I4_Real',
    options: { ...keyed, monthTurnsAfterTicks: 1 },
    play: async (world) => {
      await ticks(world, 2);
      await world.otherReserves();
      const s1 = await sender(world, 's1');
      await s1.authorize();
      s1.send();
      await arriveAll(world);
    },
  },
  {
    guard: 'month-claim',
    violates: 'I4_Real',
    options: { ...keyed, monthTurnsAfterTicks: 1 },
    play: async (world) => {
      await firstUnknown(world);
      for (const request of [...world.wire]) world.lose(request);
      const s2 = await sender(world, 's2');
      await s2.reads();
      await ticks(world, 2);
      await world.otherReserves();
      await s2.claim();
      s2.send();
      await arriveAll(world);
    },
  },
  {
    guard: 'capture-found',
    violates: 'I4_Real',
    options: { ...keyless, monthTurnsAfterTicks: 100 },
    play: async (world) => {
      await firstUnknown(world);
      await arriveAll(world);
      await ticks(world, 4);
      await unwind(world, { patience: 4 });
      await world.otherReserves();
      await world.check();
    },
  },
];

/** The sender's own guard: it is no part of the database. */
export const DEADLINE: Scenario = {
  guard: 'deadline-check',
  violates: 'I3_ReversedIsReversed',
  options: keyless,
  play: async (world) => {
    const s1 = await sender(world, 's1');
    await s1.authorize();
    await ticks(world, 5);
    await unwind(world, { patience: 4 });
    s1.send();
    await arriveAll(world);
  },
};

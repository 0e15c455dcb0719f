import { NIGHT_MS } from './world.js';
import {
  arriveAll,
  firstUnknown,
  keyed,
  keyless,
  sender,
  ticks,
  unwind,
  type Scenario,
} from './scenario.js';

/** Guards of authorize, claim, settle and the reads. */
export const SENDING: readonly Scenario[] = [
  {
    guard: 'attempt-token',
    partners: ['reads-of-attempt', 'settling-wait'],
    violates: 'I1_AtMostOnce',
    options: keyless,
    play: async (world) => {
      const s1 = await sender(world, 's1');
      await s1.authorize();
      const lost = s1.send();
      if (lost !== undefined) world.lose(lost);
      s1.timesOut();
      await s1.settle();
      const s2 = await sender(world, 's2');
      const s3 = await sender(world, 's3');
      for (const s of [s2, s3]) await s.reads();
      await ticks(world, 3);
      for (const s of [s2, s3]) await s.reads();
      await s2.claim();
      s2.send();
      s2.timesOut();
      await s2.settle();
      await s3.claim();
      s3.send();
      await arriveAll(world);
    },
  },
  {
    guard: 'surely-absent',
    violates: 'I1_AtMostOnce',
    options: keyless,
    play: async (world) => {
      await firstUnknown(world);
      const s2 = await sender(world, 's2');
      await s2.reads();
      await s2.claim();
      s2.send();
      await arriveAll(world);
    },
  },
  {
    guard: 'settling-wait',
    violates: 'I1_AtMostOnce',
    options: keyless,
    play: async (world) => {
      const s1 = await sender(world, 's1');
      await s1.authorize();
      const s2 = await sender(world, 's2');
      await s2.reads();
      await world.tick();
      s1.send();
      s1.timesOut();
      await s1.settle();
      await s2.reads();
      await s2.claim();
      s2.send();
      await arriveAll(world);
    },
  },
  {
    guard: 'double-read',
    violates: 'I3_ReversedIsReversed',
    options: keyless,
    play: async (world) => {
      await firstUnknown(world);
      await arriveAll(world);
      await ticks(world, 4);
      world.stale = true;
      await unwind(world, { patience: 0 });
      await unwind(world, { patience: 0 });
    },
  },
  {
    guard: 'reads-apart',
    violates: 'I3_ReversedIsReversed',
    options: keyless,
    play: async (world) => {
      await firstUnknown(world);
      await arriveAll(world);
      await ticks(world, 4);
      world.stale = true;
      for (let again = 0; again < 3; again += 1) await unwind(world, { patience: 0 });
    },
  },
  {
    guard: 'epoch-rule',
    violates: 'I1_AtMostOnce',
    options: keyed,
    play: async (world) => {
      await firstUnknown(world);
      const s2 = await sender(world, 's2');
      await s2.claim();
      s2.send();
      await arriveAll(world);
    },
  },
  {
    guard: 'key-age',
    violates: 'I1_AtMostOnce',
    options: keyed,
    play: async (world) => {
      await firstUnknown(world);
      await arriveAll(world);
      const s2 = await sender(world, 's2');
      await s2.reads();
      for (let night = 0; night < 3; night += 1) await world.tick(NIGHT_MS);
      world.forgetKeys();
      await s2.claim();
      s2.send();
      await arriveAll(world);
    },
  },
  {
    guard: 'old-key-absent',
    violates: 'I1_AtMostOnce',
    options: keyed,
    play: async (world) => {
      await firstUnknown(world);
      await arriveAll(world);
      const s2 = await sender(world, 's2');
      await s2.reads();
      for (let night = 0; night < 3; night += 1) await world.tick(NIGHT_MS);
      await s2.claim();
      s2.send();
      await arriveAll(world);
    },
  },
  {
    guard: '500-absent',
    violates: 'I1_AtMostOnce',
    options: keyed,
    play: async (world) => {
      const s1 = await sender(world, 's1');
      await s1.authorize();
      const first = s1.send();
      if (first !== undefined) await world.arrive(first, '500made');
      await s1.settle();
      for (const name of ['s2', 's3']) {
        const s = await sender(world, name);
        await s.reads();
        await s.claim();
        s.send();
        await arriveAll(world);
        await s.settle();
      }
    },
  },
  {
    guard: 'settle-token',
    violates: 'I1_AtMostOnce',
    options: keyed,
    play: async (world) => {
      const s1 = await sender(world, 's1');
      await s1.authorize();
      const declined = s1.send();
      if (declined !== undefined) await world.arrive(declined, '402');
      await ticks(world, 2);
      const s2 = await sender(world, 's2');
      await s2.reads();
      await s2.claim();
      s2.send();
      await arriveAll(world);
      await s2.settle();
      const s3 = await sender(world, 's3');
      await s3.claim();
      s3.send();
      await s1.settle();
      const s4 = await sender(world, 's4');
      await s4.claim();
      s4.send();
      await arriveAll(world);
    },
  },
  {
    guard: 'unstored-refusal',
    violates: 'I1_AtMostOnce',
    options: keyed,
    play: async (world) => {
      await firstUnknown(world);
      const s2 = await sender(world, 's2');
      await s2.reads();
      await s2.claim();
      const second = s2.send();
      if (second !== undefined) await world.arrive(second, 'refused');
      await s2.settle();
      await world.replan();
      const s3 = await sender(world, 's3');
      await s3.authorize();
      s3.send();
      await arriveAll(world);
    },
  },
  {
    guard: 'takeover-failed',
    violates: 'I1_AtMostOnce',
    options: keyed,
    play: async (world) => {
      await firstUnknown(world);
      await world.replan();
      const s2 = await sender(world, 's2');
      await s2.authorize();
      s2.send();
      await arriveAll(world);
    },
  },
  {
    guard: 'takeover-counts',
    partners: ['attempt-forward'],
    violates: 'I9_FailedIsSure',
    options: keyed,
    play: async (world) => {
      const s1 = await sender(world, 's1');
      await s1.authorize();
      const declined = s1.send();
      if (declined !== undefined) await world.arrive(declined, '402');
      await ticks(world, 2);
      const s2 = await sender(world, 's2');
      await s2.reads();
      await s2.claim();
      s2.send();
      await arriveAll(world);
      await s2.settle();
      await world.replan();
      const s3 = await sender(world, 's3');
      await s3.authorize();
      s3.send();
      await arriveAll(world);
      await s1.settle();
    },
  },
];

import { Sender } from './sender.js';
import { unwind } from './scenario.js';
import { Unwinder } from './unwinder.js';
import { NIGHT_MS, TICK_MS, World, type Outcome, type WorldOptions } from './world.js';
import type { Scratch } from './seed.js';

const A = 'create-customer' as const;
const B = 'register-domain' as const;

export interface Profile {
  readonly name: string;
  readonly options: WorldOptions;
  readonly outcomes: readonly Outcome[];
  readonly events: readonly Event[];
  readonly unwinders: number;
}
type Event = 'stop' | 'grant' | 'replan' | 'complete' | 'other' | 'stale' | 'night';

const PROFILES: readonly Profile[] = [
  {
    name: 'no keys: stop, resume, grant, unwinding, completion',
    options: { steps: [A], keyed: [] },
    outcomes: ['ok', 'ok', 'refused'],
    events: ['stop', 'grant', 'complete'],
    unwinders: 1,
  },
  {
    name: 'keys: declined then mended, stored 500, refusals, keys that age',
    options: { steps: [A], keyed: [A] },
    outcomes: ['ok', '402', '500', '500made', 'refused'],
    events: ['night'],
    unwinders: 0,
  },
  {
    name: 'keys: the same with stop and unwinding',
    options: { steps: [A], keyed: [A] },
    outcomes: ['ok', '402', '500made', 'refused'],
    events: ['stop', 'complete', 'night'],
    unwinders: 1,
  },
  {
    name: 'keys: a changed action takes the row over',
    options: { steps: [A], keyed: [A] },
    outcomes: ['ok', '402', 'refused'],
    events: ['replan', 'complete', 'night'],
    unwinders: 1,
  },
  {
    name: 'no keys: a changed action takes the row over',
    options: { steps: [A], keyed: [] },
    outcomes: ['ok', 'refused'],
    events: ['replan'],
    unwinders: 1,
  },
  {
    name: 'two effects, the second a pivot without keys, two unwinders',
    options: { steps: [A, B], keyed: [A], pivot: B },
    outcomes: ['ok', 'ok', '402', 'refused'],
    events: ['stop', 'complete'],
    unwinders: 2,
  },
  {
    name: 'money: the turn of a month beside another run, keys',
    options: { steps: [A], keyed: [A], monthTurnsAfterTicks: 4 },
    outcomes: ['ok', 'ok', '402'],
    events: ['other', 'complete'],
    unwinders: 1,
  },
  {
    name: 'money: the turn of a month beside another run, no keys',
    options: { steps: [A], keyed: [], monthTurnsAfterTicks: 4 },
    outcomes: ['ok', 'refused'],
    events: ['other', 'grant'],
    unwinders: 1,
  },
  {
    name: 'no keys: reads that are stale for a while',
    options: { steps: [A], keyed: [] },
    outcomes: ['ok'],
    events: ['stale', 'complete'],
    unwinders: 1,
  },
];

/** A small generator of random numbers: the same seed, the same schedule. */
export function random(seed: number): (below: number) => number {
  let state = (seed * 2_654_435_761) >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

export interface Explored {
  readonly profile: string;
  readonly violations: readonly string[];
  readonly trace: readonly string[];
  readonly ends: readonly string[];
}

const KINDS = [
  'start',
  'authorize',
  'ask',
  'report',
  'claim',
  'fail',
  'send',
  'timeout',
  'settle',
  'crash',
  'arrive',
  'lose',
  'unwind',
  'event',
  'tick',
] as const;
type Kind = (typeof KINDS)[number];
type Act = readonly [kind: Kind, play: () => unknown];

/** Each schedule has a temper of its own: what is rare in one is common in another, so that all corners are met. */
function temper(below: (n: number) => number): ReadonlyMap<Kind, number> {
  const weights = [1, 3, 3, 10, 30];
  const calm = new Map<Kind, number>(KINDS.map((kind) => [kind, weights[below(5)] ?? 1]));
  calm.set('crash', below(3));
  calm.set('event', below(6));
  return calm;
}

function pick(acts: readonly Act[], calm: ReadonlyMap<Kind, number>, below: (n: number) => number) {
  let left = below(acts.reduce((sum, [kind]) => sum + (calm.get(kind) ?? 1), 0) || 1);
  for (const [kind, act] of acts) {
    left -= calm.get(kind) ?? 1;
    if (left < 0) return act;
  }
  return undefined;
}

/** Plays one random schedule, then lets an unwinder work alone: from every state an end must be reached (I7). */
export async function explore(scratch: Scratch, seed: number): Promise<Explored> {
  const below = random(seed);
  const profile = PROFILES[seed % PROFILES.length] ?? PROFILES[0];
  if (profile === undefined) throw new Error('no profile');
  const world = await World.create(scratch, profile.options);
  const senders = ['s1', 's2', 's3'].map((name) => new Sender(name, world));
  const unwinders = ['u1', 'u2']
    .slice(0, profile.unwinders)
    .map((name) => new Unwinder(name, world));
  const length = 30 + below(40);
  const patience = below(length);
  const calm = temper(below);
  for (let turn = 0; turn < length && world.violations.size === 0; turn += 1) {
    const acts = [
      ...senders.flatMap((sender) => sendingActs(sender, world, below)),
      ...arrivals(world, profile, below),
      ...(turn > patience ? unwinders.flatMap((u) => unwindingActs(u, below)) : []),
      ...events(world, profile),
      ...timeActs(world, profile, below),
    ];
    await pick(acts, calm, below)?.();
  }
  await toTheEnd(world);
  return {
    profile: profile.name,
    violations: [...world.violations],
    trace: world.trace,
    ends: [...world.ends],
  };
}

function sendingActs(sender: Sender, world: World, below: (n: number) => number): Act[] {
  const steps = world.options.steps;
  const crash: Act = [
    'crash',
    () => {
      sender.crash();
    },
  ];
  switch (sender.stage) {
    case 'idle':
      return [['start', () => sender.start(steps[below(steps.length)] ?? A)]];
    case 'look':
      return sender.attempt === 0
        ? [['authorize', () => sender.authorize()], crash]
        : [
            ['ask', () => sender.asks(below(3) === 0)],
            ['claim', () => sender.claim()],
            ...(world.version > 1 ? [['authorize', () => sender.authorize()] as const] : []),
            ['fail', () => sender.failsAbsent()],
            crash,
          ];
    case 'reading':
      return [['report', () => sender.reports()], crash];
    case 'armed':
      return [['send', () => sender.send()], crash];
    case 'wait':
      return [
        [
          'timeout',
          () => {
            sender.timesOut();
          },
        ],
        crash,
      ];
    case 'got':
      return [['settle', () => sender.settle()], crash];
  }
}

function arrivals(world: World, { outcomes }: Profile, below: (n: number) => number): Act[] {
  return world.wire.flatMap((request): Act[] => [
    ['arrive', () => world.arrive(request, outcomes[below(outcomes.length)])],
    [
      'lose',
      () => {
        world.lose(request);
      },
    ],
  ]);
}

function unwindingActs(unwinder: Unwinder, below: (n: number) => number): Act[] {
  const step: Act = ['unwind', () => unwinder.step({ keen: below(2) === 0, lost: below(4) === 0 })];
  const crash: Act = [
    'crash',
    () => {
      unwinder.crash();
    },
  ];
  return unwinder.stage === 'idle' ? [step] : [step, crash];
}

function events(world: World, { events: names }: Profile): Act[] {
  const acts: Readonly<Record<Event, () => unknown>> = {
    stop: () => (world.fenced ? world.resume() : world.stop()),
    grant: () => (world.grantLive ? world.grantDies() : undefined),
    replan: () => world.replan(),
    complete: () => world.complete(),
    other: () => world.otherReserves(),
    stale: async () => {
      if (world.wire.length > 0) return;
      await world.tick();
      world.stale = true;
    },
    night: async () => {
      if (world.wire.length > 0) return;
      await world.tick(NIGHT_MS);
      world.forgetKeys();
    },
  };
  return names.map((name): Act => ['event', acts[name]]);
}

function timeActs(world: World, profile: Profile, below: (n: number) => number): Act[] {
  const tick = async (): Promise<void> => {
    for (const request of [...world.wire])
      if (world.t + TICK_MS - request.sentAt > TICK_MS)
        await world.arrive(request, profile.outcomes[below(profile.outcomes.length)]);
    await world.tick();
  };
  return [['tick', tick]];
}

async function toTheEnd(world: World): Promise<void> {
  for (const request of [...world.wire]) await world.arrive(request);
  if (world.violations.size > 0 || world.ends.size > 0) return;
  await unwind(world, { patience: 12, name: 'the last unwinder' });
  await world.check();
  if (world.ends.size === 0) world.violated('I7_EndReachable', 'the unwinder alone found no end');
}

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { UNCOUNTED } from '../../gateway/calls.js';
import type { Effect } from '../../gateway/effect.js';
import { lookAhead } from '../../gateway/look.js';
import type { LookAhead } from '../../gateway/look.js';
import type { Parts } from '../../gateway/parts.js';
import { createProviders } from '../../gateway/providers.js';
import { sender } from './house.js';
import { stubOperations } from './stub-operations.js';
import { startStub } from './stub-provider.js';
import type { StubProvider } from './stub-provider.js';

let stub: StubProvider;
beforeEach(async () => {
  stub = await startStub();
});
afterEach(async () => {
  await stub.close();
});

/** A look whose one read waits for its turn; the clock and the door's second word are the test's. */
function begun(): {
  ahead: LookAhead;
  turn: () => void;
  world: { passedMs: number; still: boolean; asked: number };
} {
  const world = { passedMs: 0, still: true, asked: 0 };
  const clocks = {
    wallMs: () => Date.now() + world.passedMs,
    monotonicMs: () => performance.now() + world.passedMs,
  };
  let turn: () => void = () => undefined;
  const turned = new Promise<void>((resolve) => {
    turn = resolve;
  });
  const stripe = { apiKey: `sk_test_main_actions_${'0'.repeat(32)}`, origin: stub.origin };
  const cloudflare = { apiToken: `cf_main_actions_${'0'.repeat(32)}`, origin: stub.origin };
  const providers = createProviders({ actions: { stripe, cloudflare } }, clocks, {
    ...UNCOUNTED,
    take: () => turned,
  });
  const still = (): Promise<boolean> => {
    world.asked += 1;
    return Promise.resolve(world.still);
  };
  const operation = stubOperations({
    checks: new Map(),
    usedByOthers: new Set(),
    stubborn: new Set(),
  }).find((pair) => pair.operation.name === 'subscriptions.create')?.operation;
  const parts = { providers, clocks, door: { still } } as unknown as Parts;
  const effect = {
    effectId: 'i/run/start-subscription/act',
    provider: 'stripe',
    account: 'acct',
    params: {},
    document: { costMaxMinor: 1900 },
    operation,
  } as unknown as Effect;
  const ahead = lookAhead(parts, effect, { sender: sender(), bundle: () => Promise.resolve([]) });
  return { ahead, turn, world };
}

test('a look begun while the door is asked reads at once, and is not taken again', async () => {
  const { ahead, turn, world } = begun();
  turn();
  ahead.told({ attempt: 1 });
  expect(await ahead.holds()).toBe(true);
  expect(stub.requests).toHaveLength(1);
  expect(world.asked).toBe(0);
});

test.each([
  ['is let through still', true, 1],
  ['was stopped meanwhile', false, 0],
])(
  'a look that was held up asks the door before it reads: one that %s',
  async (_what, still, reads) => {
    const { ahead, turn, world } = begun();
    world.passedMs = 1_000;
    world.still = still;
    turn();
    ahead.told({ attempt: 1 });
    if (still) expect(await ahead.holds()).toBe(true);
    else await expect(ahead.holds()).rejects.toThrow();
    expect(stub.requests).toHaveLength(reads);
    expect(world.asked).toBe(1);
  },
);

test('a look that was held up reads nothing where the door let nobody through', async () => {
  const { ahead, turn, world } = begun();
  world.passedMs = 1_000;
  turn();
  ahead.told(undefined);
  await expect(ahead.holds()).rejects.toThrow();
  expect(stub.requests).toEqual([]);
  expect(world.asked).toBe(0);
});

test('what was seen long before the door’s word came does not count', async () => {
  const { ahead, turn, world } = begun();
  turn();
  ahead.told({ attempt: 1 });
  expect(await ahead.holds()).toBe(true);
  world.passedMs = 1_001;
  expect(await ahead.holds()).toBe(false);
});

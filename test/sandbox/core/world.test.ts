import { afterEach, expect, test } from '@jest/globals';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, appendFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  issueCredential,
  mintCredentials,
  readCredential,
  secretFile,
} from '../../../sandbox/core/credentials.js';
import { faultRuleSchema, FaultPlan, globMatches } from '../../../sandbox/core/faults.js';
import type { FaultRuleInput } from '../../../sandbox/core/faults.js';
import { Worlds } from '../../../sandbox/core/world.js';

const folders: string[] = [];
const folder = (): string => {
  const made = mkdtempSync(join(tmpdir(), 'countersign-world-'));
  folders.push(made);
  return made;
};
afterEach(() => {
  for (const one of folders.splice(0)) rmSync(one, { recursive: true, force: true });
});

test('a saved world is the same when opened again: state, clock, faults, requests', async () => {
  const dir = folder();
  const world = new Worlds(dir).get('alpha');
  world.slot('things', () => ({ count: 0 })).count = 7;
  world.advance(25 * 3_600_000);
  world.faults.arm([faultRuleSchema.parse(rule({ nth: 3 }))]);
  world.faults.take('stripe', 'POST', '/v1/customers');
  const record = world.noteRequest({
    at: world.now(),
    provider: 'stripe',
    role: 'actions',
    method: 'GET',
    path: '/v1/customers',
    query: '',
    headers: {},
    body: '',
    bodyBytes: 0,
    status: 200,
  });
  world.finishRequest(record);
  await world.save();

  const again = new Worlds(dir).get('alpha');
  expect(again.slot('things', () => ({ count: 0 }))).toEqual({ count: 7 });
  expect(again.now() - Date.now()).toBeGreaterThan(25 * 3_600_000 - 5_000);
  expect(again.faults.list()).toEqual([expect.objectContaining({ nth: 3, seen: 1 })]);
  expect(again.requests).toEqual([record]);
  expect(again.noteRequest({ ...record }).seq).toBe(record.seq + 1);
});

test('a request log cut short by a kill loses its last line and nothing else', async () => {
  const dir = folder();
  const world = new Worlds(dir).get('main');
  await world.save();
  appendFileSync(
    join(dir, 'worlds', 'main.requests.jsonl'),
    '{"seq":1,"path":"/v1/a"}\n{"seq":2,"pa',
  );
  expect(new Worlds(dir).get('main').requests).toEqual([{ seq: 1, path: '/v1/a' }]);
});

test('saves that come together are all on disk when each of them resolves', async () => {
  const dir = folder();
  const world = new Worlds(dir).get('main');
  const slot = world.slot('counter', () => ({ n: 0 }));
  await Promise.all(
    Array.from({ length: 30 }, async (_, index) => {
      slot.n = Math.max(slot.n, index + 1);
      await world.save();
      const file = JSON.parse(readFileSync(join(dir, 'worlds', 'main.json'), 'utf8')) as {
        slots: { counter: { n: number } };
      };
      expect(file.slots.counter.n).toBeGreaterThanOrEqual(index + 1);
    }),
  );
});

test('the folder and the secret are for their owner alone', () => {
  const dir = join(folder(), 'new');
  secretFile(dir, 'secret');
  expect(statSync(dir).mode & 0o777).toBe(0o700);
  expect(statSync(join(dir, 'secret')).mode & 0o777).toBe(0o600);
  expect(secretFile(dir, 'secret')).toBe(secretFile(dir, 'secret'));
});

test('a secret that others can read is refused, by name', () => {
  const dir = folder();
  secretFile(dir, 'secret');
  chmodSync(join(dir, 'secret'), 0o644);
  expect(() => secretFile(dir, 'secret')).toThrow(`${join(dir, 'secret')} can be read by others`);
});

test('a credential names its world and role, and any change makes it nobody’s', () => {
  const { stripe, cloudflare } = mintCredentials('secret', 'my-world');
  expect(stripe.actions).toMatch(/^sk_test_my-world_actions_[0-9a-f]{32}$/);
  expect(cloudflare.reads).toMatch(/^cf_my-world_reads_[0-9a-f]{32}$/);
  expect(readCredential('secret', 'stripe', stripe.compensations)).toMatchObject({
    world: 'my-world',
    role: 'compensations',
  });
  expect(readCredential('other', 'stripe', stripe.actions)).toBeUndefined();
  expect(readCredential('secret', 'cloudflare', stripe.actions)).toBeUndefined();
  const foreign = stripe.actions.replace('my-world', 'other');
  expect(readCredential('secret', 'stripe', foreign)).toBeUndefined();
  const wrong = issueCredential('secret', { provider: 'stripe', world: 'a', role: 'b' }).slice(
    0,
    -1,
  );
  expect(readCredential('secret', 'stripe', `${wrong}x`)).toBeUndefined();
});

test.each([
  ['/v1/customers', '/v1/customers', true],
  ['/v1/customers/*', '/v1/customers/cus_1', true],
  ['/v1/customers/*', '/v1/customers', false],
  ['/v1/customers/*', '/v1/customers/cus_1/payment_methods', false],
  ['/v1/**', '/v1/customers/cus_1/payment_methods', true],
  ['/v1/customers/**', '/v1/customers', true],
  ['/v1/**/attach', '/v1/payment_methods/pm_1/attach', true],
  ['/v1/inv*', '/v1/invoices', true],
  ['/v1/a.b', '/v1/aXb', false],
])('the glob %s against %s says %s', (glob, path, fits) => {
  expect(globMatches(glob, path)).toBe(fits);
});

const rule = (over: Partial<FaultRuleInput> = {}): FaultRuleInput => ({
  provider: 'stripe',
  method: 'POST',
  path: '/v1/customers',
  fault: 'refuse',
  ...over,
});

test('a fault strikes the nth match since it was armed, as many times as it says', () => {
  const plan = new FaultPlan();
  plan.take('stripe', 'POST', '/v1/customers');
  plan.arm([faultRuleSchema.parse(rule({ nth: 2, times: 2 }))]);
  const struck = Array.from({ length: 5 }, () => plan.take('stripe', 'POST', '/v1/customers'));
  expect(struck.map((due) => due?.fault)).toEqual([
    undefined,
    'refuse',
    'refuse',
    undefined,
    undefined,
  ]);
  expect(plan.take('stripe', 'GET', '/v1/customers')).toBeUndefined();
  expect(plan.take('cloudflare', 'POST', '/v1/customers')).toBeUndefined();
});

test('each fault counts for itself, and an empty list clears the plan', () => {
  const plan = new FaultPlan();
  plan.arm([
    faultRuleSchema.parse(rule({ nth: 1, fault: '429' })),
    faultRuleSchema.parse(rule({ nth: 2, fault: '409' })),
  ]);
  expect(plan.take('stripe', 'POST', '/v1/customers')?.fault).toBe('429');
  expect(plan.take('stripe', 'POST', '/v1/customers')?.fault).toBe('409');
  plan.arm([]);
  expect(plan.list()).toEqual([]);
});

test('a clock only goes forward', () => {
  const world = new Worlds(folder()).get('main');
  expect(() => {
    world.advance(-1);
  }).toThrow('by whole milliseconds of at least 0');
});

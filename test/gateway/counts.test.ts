import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { canonicalize } from '../../domain/canonical.js';
import { cardSchema } from '../../domain/documents.js';
import type { RunId } from '../../domain/ids.js';
import { policyDigestOf, type Policy } from '../../domain/policy/schema.js';
import type { Executor } from '../../store/connect.js';
import { readPlan } from '../../store/plans.js';
import { activatePolicy } from '../../store/policies.js';
import { trialPolicy } from '../helpers/trial-policy.js';
import { admitted, openHouse, perform, type House } from './house.js';

const DAY_MS = 86_400_000;
const wide = trialPolicy().caps;
const caps = {
  ...wide,
  run: '200.00 USD',
  organisation: '9000.00 USD',
  principal: '9000.00 USD',
  agent: '9000.00 USD',
  provider: '9000.00 USD',
  principalProvider: '9000.00 USD',
};
/** Nobody is asked below 50.00; so what counts is counted and nothing else stops a run. */
const free = (change: Partial<Policy> = {}): Policy =>
  trialPolicy({
    override: {
      caps,
      tiers: [
        { step: '*', tier: 'autonomous' },
        { step: '*', amountAbove: '50.00 USD', tier: 'sign-off' },
      ],
      terms: [],
      bundleIrreversible: ['register-domain'],
      counts: { operationsPerRun: 20, openRunsPerAgent: 100, runsPerHour: 100 },
      domains: { ...trialPolicy().domains, priceCeiling: '200.00 USD' },
      ...change,
    },
  });

let house: House;
beforeEach(async () => {
  house = await openHouse(free());
});
afterEach(async () => {
  await house.close();
});

const inForce = (policy: Policy): Promise<number> =>
  activatePolicy(house.db, {
    digest: policyDigestOf(policy),
    document: canonicalize(policy),
    activatedBy: 'test',
  });

const counting = (counts: Partial<Policy['counts']>): Policy =>
  free({ counts: { ...free().counts, ...counts } });

/** A run that buys a name and nothing else that costs. */
const run = (id: string): Promise<RunId> =>
  admitted(house, id, {
    goal: 'A site',
    budget: '150.00 USD',
    subscription: undefined,
    domain: { name: `${id}.club`, years: 1 },
  });

/** Until somebody waits for an advisory lock. */
async function waiting(): Promise<void> {
  for (;;) {
    const { rows } = await sql`
      select 1 from pg_locks where locktype = 'advisory' and not granted
         and database = (select oid from pg_database where datname = current_database())`.execute(
      house.db,
    );
    if (rows.length > 0) return;
  }
}

/** How opening the first gate of a planned run ends: passes, asks, or the rule that denies it. */
async function outcome(runId: RunId): Promise<string> {
  try {
    const opened = await house.gateway.openGate(runId, 'plan');
    return opened.gateId === undefined ? 'passes' : 'asks';
  } catch {
    const plan = await readPlan(house.db, runId);
    return `denied: ${plan?.denials.map(({ rule }) => rule).join() ?? ''}`;
  }
}

const tally = (outcomes: readonly string[]): Record<string, number> =>
  outcomes.reduce<Record<string, number>>(
    (sums, one) => ({ ...sums, [one]: (sums[one] ?? 0) + 1 }),
    {},
  );

const numbered = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `site-${String(i)}`);

describe('new domains and accounts', () => {
  test.each<[keyof Policy['counts']]>([
    ['newDomainsPerDay'],
    ['newDomainsPerMonth'],
    ['newAccountsPerDay'],
    ['newAccountsPerMonth'],
  ])('fifty runs at once against counts.%s: one passes', async (name) => {
    await inForce(counting({ [name]: 1 }));
    const runs = [];
    for (const id of numbered(50)) runs.push(await run(id));
    const outcomes = await Promise.all(runs.map(outcome));
    expect(tally(outcomes)).toEqual({ passes: 1, [`denied: counts.${name}`]: 49 });
    const held = await house.db
      .selectFrom('allowances')
      .select('run_id')
      .where('scope', '=', name.includes('Domains') ? 'domains' : 'accounts')
      .execute();
    expect(held).toHaveLength(1);
    expect(house.stub.things).toEqual([]);
  });

  test('the same run asks twice for its own share, and the next day has its own', async () => {
    await inForce(counting({ newDomainsPerDay: 1, newDomainsPerMonth: 2 }));
    const first = await run('first');
    expect([await outcome(first), await outcome(first)]).toEqual(['passes', 'passes']);
    expect(await outcome(await run('second'))).toBe('denied: counts.newDomainsPerDay');
    await house.advance(DAY_MS);
    expect(await outcome(await run('third'))).toBe('passes');
    await house.advance(DAY_MS);
    expect(await outcome(await run('fourth'))).toBe('denied: counts.newDomainsPerMonth');
    await house.advance(31 * DAY_MS);
    expect(await outcome(await run('fifth'))).toBe('passes');
  });

  test('whoever takes a share waits for whoever is taking one, and then counts it', async () => {
    await inForce(counting({ newAccountsPerDay: 1 }));
    const [one, other] = [await run('one'), await run('other')];
    const hold = (db: Executor, runId: RunId) => sql`select hold_plan(${runId})`.execute(db);
    let second: Promise<string> | undefined;
    await house.db.transaction().execute(async (tx) => {
      await hold(tx, one);
      second = house.db
        .transaction()
        .execute((late) => hold(late, other))
        .then(
          () => 'passed',
          (error: unknown) => (error instanceof Error ? error.message : ''),
        );
      // Either it waits for us, or it is through already.
      await Promise.race([second, waiting()]);
    });
    expect(await second).toContain('counts.newAccountsPerDay: 1 of 1 are taken');
  });

  test('a run that ends without having made anything gives its share back', async () => {
    await inForce(counting({ newDomainsPerDay: 1 }));
    const first = await run('first');
    expect(await outcome(first)).toBe('passes');
    await house.db
      .updateTable('runs')
      .set({ door: 'closed', end_phase: 'reversed', end_why: 'a test' })
      .where('run_id', '=', first)
      .execute();
    expect(await outcome(await run('second'))).toBe('passes');
  });

  test('the door counts again at the send, by the policy in force then', async () => {
    const runId = await run('first');
    expect(await outcome(runId)).toBe('passes');
    const other = await run('second');
    expect(await outcome(other)).toBe('passes');
    await inForce(counting({ newAccountsPerDay: 1 }));
    await expect(perform(house, runId, 'link-account')).rejects.toMatchObject({
      code: 'BUDGET_EXCEEDED',
      message: expect.stringContaining('counts.newAccountsPerDay: 1 of 1 are taken'),
    });
    expect(house.stub.things).toEqual([]);
  });
});

describe('spending without a person', () => {
  const unattended = { perDay: '30.00 USD', perMonth: '60.00 USD', above: 'sign-off' } as const;

  beforeEach(async () => {
    house.outside.domain = {
      registrable: true,
      registrationMinor: 999,
      renewalMinor: 999,
      currency: 'USD',
    };
    await inForce(free({ unattended }));
  });

  test('ten of 9.99 are stopped where one of 99.90 would be', async () => {
    const outcomes = [];
    for (const id of numbered(10)) outcomes.push(await outcome(await run(id)));
    expect(outcomes).toEqual(numbered(10).map((_, i) => (i < 3 ? 'passes' : 'asks')));
    house.outside.domain = {
      registrable: true,
      registrationMinor: 9_990,
      renewalMinor: 9_990,
      currency: 'USD',
    };
    expect(await outcome(await run('dear'))).toBe('asks');
  });

  test('the card says why', async () => {
    for (const id of numbered(3)) await outcome(await run(id));
    const opened = await house.gateway.openGate(await run('fourth'), 'plan');
    expect(cardSchema.parse(JSON.parse('card' in opened ? opened.card : '{}')).why).toContainEqual({
      rule: 'unattended.perDay',
      text: expect.stringContaining('without a person'),
    });
  });

  test('planned at once, three pass and the others are denied before anything is done', async () => {
    const runs = [];
    for (const id of numbered(20)) runs.push(await run(id));
    const outcomes = await Promise.all(runs.map(outcome));
    expect(tally(outcomes)).toEqual({ passes: 3, 'denied: unattended.perDay': 17 });
  });

  test('the day ends, the month goes on', async () => {
    for (const id of numbered(3)) expect(await outcome(await run(id))).toBe('passes');
    await house.advance(DAY_MS);
    const next = [];
    for (const id of ['a', 'b', 'c', 'd']) next.push(await outcome(await run(`next-${id}`)));
    expect(next).toEqual(['passes', 'passes', 'passes', 'asks']);
    await house.advance(DAY_MS);
    expect(await outcome(await run('third-day'))).toBe('asks');
  });
});

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { sql } from 'kysely';
import pg from 'pg';
import type { AuthorizeAsk, CapAsk } from '../../gateway/door-contract.js';
import { advanceClock } from '../../store/clock.js';
import { STATES } from '../../store/failures.js';
import { askFor, effectOf, openScratch, seedPlan, seedRun, type Scratch } from './seed.js';
import { without } from './without.js';

let scratch: Scratch;
beforeAll(async () => {
  scratch = await openScratch();
});
afterAll(async () => {
  await scratch.close();
});

let worlds = 0;
/** Caps at every scope over one run of a small world, each world with scopes of its own. */
function capsOf(world: number, of: { runId: string; who: number; provider: string }): CapAsk[] {
  const one = (scope: string, capMinor: number): CapAsk => ({
    scope: `w${world}-${scope}`,
    capMinor,
  });
  return [
    one('organisation', 900),
    one(`principal:${of.who}`, 500),
    one(`agent:${of.who % 2}`, 700),
    one(`provider:${of.provider}`, 600),
    one(`principal-provider:${of.who}:${of.provider}`, 400),
    one(`run:${of.runId}`, 200),
  ];
}

interface Wanted {
  readonly who: number;
  readonly costMinor: number;
  readonly takenPercent: number;
  readonly renews: boolean;
}

async function askOf(world: number, { who, costMinor, renews }: Wanted): Promise<AuthorizeAsk> {
  const step = {
    step: 'start-subscription',
    provider: 'stripe',
    costMinor,
    ...(renews ? { renewalMinor: costMinor } : {}),
  } as const;
  const run = await seedRun(scratch, [step], 'money');
  const gateId = await seedPlan(scratch, run, 1);
  const caps = capsOf(world, { runId: run.runId, who, provider: 'stripe' });
  return askFor(scratch, run, 'start-subscription', { gateId, caps });
}

/** Asks, and settles what was granted; answers the SQLSTATE of a refusal by a cap. */
async function spend(world: number, wanted: Wanted): Promise<'granted' | 'refused'> {
  const ask = await askOf(world, wanted);
  const answer = await scratch.door.authorize(ask);
  if (answer.verdict !== 'granted') return 'refused';
  await scratch.door.settle({
    effectId: ask.effectId,
    attempt: answer.attempt,
    outcome: 'succeeded',
    object: `sub_${ask.runId}`,
    fields: {},
    capturedMinor: Math.floor((wanted.costMinor * wanted.takenPercent) / 100),
    evidence: {},
  });
  return 'granted';
}

interface Book {
  readonly scope: string;
  readonly month: string;
  readonly used: number;
  readonly cap: number | null;
}

/** Every balance of a world beside what its reservations, postings and renewals come to. */
async function books(world: number): Promise<readonly (Book & { wrong: boolean })[]> {
  const { rows } = await sql<Book & { wrong: boolean }>`
    select b.scope, b.month, b.cap_minor as cap,
           b.reserved_minor + b.captured_minor + b.standing_minor as used,
           b.reserved_minor <> coalesce((select sum(r.amount_minor) from reservations r
             where r.state = 'reserved' and b.scope = any(r.scopes) and b.month = r.month), 0)
           or b.captured_minor <> coalesce((select sum(p.amount_minor) from postings p
             where p.kind in ('capture', 'renewal') and b.scope = any(p.scopes)
               and b.month = p.month), 0)
           or b.standing_minor <> standing_due(b.scope, b.month, b.currency) as wrong
      from balances b where b.scope like ${`w${world}-%`}`.execute(scratch.db);
  return rows;
}

const nextMonth = (): Promise<void> => advanceClock(scratch.db, 31 * 86_400_000);
const monthNow = async (): Promise<string> => {
  const { rows } = await sql<{ month: string }>`
    select utc_month(countersign_now()) as month`.execute(scratch.db);
  return rows[0]?.month ?? '';
};

const wanted = fc.record({
  who: fc.integer({ min: 0, max: 2 }),
  costMinor: fc.integer({ min: 1, max: 220 }),
  takenPercent: fc.integer({ min: 0, max: 100 }),
  renews: fc.boolean(),
});

test('the books hold at every scope, at once and across months, and no cap is passed', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(wanted, { minLength: 4, maxLength: 12 }), { minLength: 2, maxLength: 3 }),
      async (months) => {
        worlds += 1;
        const world = worlds;
        for (const asked of months) {
          await Promise.all(asked.map((one) => spend(world, one)));
          const rows = await books(world);
          expect(rows.filter(({ wrong }) => wrong)).toEqual([]);
          const month = await monthNow();
          // What renews counts whether it fits or not; nothing else is let in above a cap.
          expect(
            rows.filter(({ cap, month: of, used }) => of === month && cap !== null && used > cap),
          ).toEqual([]);
          await nextMonth();
        }
      },
    ),
    { numRuns: 12 },
  );
}, 120_000);

const alerts = async (scope: string): Promise<number[]> => {
  const { rows } = await sql<{ percent: number }>`
    select (payload->>'percent')::int as percent from notices
     where kind = 'cap-alert' and payload->>'scope' = ${scope} order by notice_id`.execute(
    scratch.db,
  );
  return rows.map(({ percent }) => percent);
};

async function upAndDown(scope: string, costs: readonly number[]): Promise<void> {
  for (const cost of costs) {
    const run = await seedRun(scratch, [
      { step: 'create-customer', provider: 'stripe', costMinor: cost },
    ]);
    const gateId = await seedPlan(scratch, run, 1);
    const caps = [{ scope, capMinor: 100 }];
    const ask = askFor(scratch, run, 'create-customer', { gateId, caps });
    const answer = await scratch.door.authorize(ask);
    if (answer.verdict !== 'granted') throw new Error('not granted');
    // It surely did nothing: the room comes back, and the next one passes the same level again.
    await scratch.door.settle({
      effectId: ask.effectId,
      attempt: answer.attempt,
      outcome: 'stored-final',
      evidence: {},
    });
  }
}

test('an alert at 50, 80 and 100 % of a cap comes once a month, in the same transaction', async () => {
  await upAndDown('alert-a', [49]);
  expect(await alerts('alert-a')).toEqual([]);
  await upAndDown('alert-a', [50, 85, 50, 85]);
  expect(await alerts('alert-a')).toEqual([50, 80]);
  await upAndDown('alert-a', [100, 100]);
  expect(await alerts('alert-a')).toEqual([50, 80, 100]);
  await nextMonth();
  await upAndDown('alert-a', [85]);
  expect(await alerts('alert-a')).toEqual([50, 80, 100, 50, 80]);
  // A reservation that is refused alerts nobody.
  await expect(upAndDown('alert-b', [101])).rejects.toThrow('not granted');
  expect(await alerts('alert-b')).toEqual([]);
});

test('without its guard the same alert comes again', async () => {
  await without(scratch.db, ['alert-once'], () => upAndDown('alert-c', [60, 60]));
  expect(await alerts('alert-c')).toEqual([50, 50]);
});

/** A subscription that renews under these caps; answers its effect. */
async function renewing(caps: readonly CapAsk[], minor: number): Promise<string> {
  const run = await seedRun(scratch, [
    { step: 'start-subscription', provider: 'stripe', costMinor: minor, renewalMinor: minor },
  ]);
  const gateId = await seedPlan(scratch, run, 1);
  const ask = askFor(scratch, run, 'start-subscription', { gateId, caps });
  const answer = await scratch.door.authorize(ask);
  if (answer.verdict !== 'granted') throw new Error('not granted');
  await scratch.door.settle({
    effectId: ask.effectId,
    attempt: answer.attempt,
    outcome: 'succeeded',
    object: `sub_${run.runId}`,
    fields: {},
    capturedMinor: minor,
    evidence: {},
  });
  return effectOf(scratch, run, 'start-subscription');
}

async function reserveAgain(scope: string, costMinor: number): Promise<string> {
  const run = await seedRun(scratch, [{ step: 'create-customer', provider: 'stripe', costMinor }]);
  const gateId = await seedPlan(scratch, run, 1);
  const caps = [{ scope, capMinor: 100 }];
  const { verdict } = await scratch.door.authorize(
    askFor(scratch, run, 'create-customer', { gateId, caps }),
  );
  return verdict;
}

test('the first touch of a month reserves every renewal at every scope before anything else', async () => {
  await renewing(
    [
      { scope: 'first-a', capMinor: 100 },
      { scope: 'first-b', capMinor: 100 },
    ],
    60,
  );
  await nextMonth();
  const month = await monthNow();
  // Somebody else entirely begins the month: the renewal has its rows already when its own scopes are asked.
  await reserveAgain('first-elsewhere', 10);
  const { rows } = await sql<{ scope: string; standing: number }>`
    select scope, standing_minor as standing from balances
     where month = ${month} and scope like 'first-_' order by scope`.execute(scratch.db);
  expect(rows.map(({ standing }) => standing)).toEqual([60, 60]);
  expect(await reserveAgain('first-a', 41)).toBe('refused');
  expect(await reserveAgain('first-a', 40)).toBe('granted');
  expect(await alerts('first-b')).toEqual([50, 50]);
});

test('without renewals first, others take the room of what will be charged', async () => {
  await renewing([{ scope: 'second', capMinor: 100 }], 60);
  await nextMonth();
  const verdict = await without(scratch.db, ['renewals-first'], () => reserveAgain('second', 41));
  expect(verdict).toBe('granted');
});

/** A month's row comes to be in one transaction while a renewal begins in another: who sees whom? */
async function rowBesideARenewal(scope: string): Promise<number> {
  const run = await seedRun(scratch, [
    { step: 'start-subscription', provider: 'stripe', costMinor: 30, renewalMinor: 30 },
  ]);
  const gateId = await seedPlan(scratch, run, 1);
  const caps = [{ scope, capMinor: 100 }];
  const ask = askFor(scratch, run, 'start-subscription', { gateId, caps });
  const answer = await scratch.door.authorize(ask);
  if (answer.verdict !== 'granted') throw new Error('not granted');
  const month = '2999-01';
  const other = new pg.Client({ connectionString: scratch.url });
  await other.connect();
  try {
    await other.query('begin');
    await other.query(`select balances_lock(array[$1::text], array[$2::text], 'USD')`, [
      scope,
      month,
    ]);
    const settled = scratch.door.settle({
      effectId: ask.effectId,
      attempt: answer.attempt,
      outcome: 'succeeded',
      object: 'sub_x',
      fields: {},
      capturedMinor: 30,
      evidence: {},
    });
    await Promise.race([settled, waiting(other)]);
    await other.query('commit');
    await settled;
    const { rows } = await sql<{ standing: number }>`
      select standing_minor as standing from balances where scope = ${scope} and month = ${month}`.execute(
      scratch.db,
    );
    return Number(rows[0]?.standing);
  } finally {
    await other.end();
  }
}

/** Until some transaction waits for a lock. */
async function waiting(client: pg.Client): Promise<void> {
  for (;;) {
    const { rows } = await client.query<{ n: number }>(
      `select count(*)::int as n from pg_locks where not granted and database =
         (select oid from pg_database where datname = current_database())`,
    );
    if ((rows[0]?.n ?? 0) > 0) return;
  }
}

test('a renewal that begins while a month is opened is in that month, by the lock of the months', async () => {
  expect(await rowBesideARenewal('month-lock-a')).toBe(30);
  const lost = await without(scratch.db, ['month-lock'], () => rowBesideARenewal('month-lock-b'));
  expect(lost).toBe(0);
});

const casesOf = async (scope: string): Promise<{ text: string; proposal: string | null }[]> =>
  scratch.db
    .selectFrom('cases')
    .select(['text', 'proposal'])
    .where('kind', '=', 'renewal-over-cap')
    .where('finding', 'like', `renewal-over-cap/${scope}/%`)
    .execute();

const begin = (caps: readonly CapAsk[]): Promise<unknown> =>
  sql`select month_begins(${JSON.stringify(caps)}::jsonb, 'USD')`.execute(scratch.db);

test('a renewal that no longer fits a cap opens one case with a way out, and closes it when it fits', async () => {
  const caps = [{ scope: 'lower', capMinor: 100 }];
  const effect = await renewing(caps, 60);
  await nextMonth();
  await begin(caps);
  expect(await casesOf('lower')).toEqual([]);
  await begin([{ scope: 'lower', capMinor: 50 }]);
  await begin([{ scope: 'lower', capMinor: 40 }]);
  const [found, ...more] = await casesOf('lower');
  expect(more).toEqual([]);
  expect(found?.text).toMatch(/cap lower: 60 of renewals are due in .* 60 USD are used of 50/);
  expect(found?.proposal).toContain(`at least 60 USD`);
  expect(found?.proposal).toContain(effect.split('/')[1]);
  await begin([{ scope: 'lower', capMinor: 70 }]);
  await sql`select renewals_that_fit()`.execute(scratch.db);
  const open = await scratch.db
    .selectFrom('cases')
    .select('closed_as')
    .where('finding', 'like', 'renewal-over-cap/lower/%')
    .execute();
  expect(open).toEqual([{ closed_as: 'seen-resolved' }]);
});

const capture = async (effectId: string, object: string, paidMinor: number): Promise<string> => {
  const { rows } = await sql<{ answer: string }>`
    select capture_renewal(jsonb_build_object('effectId', ${effectId}::text, 'object', ${object}::text,
      'paidMinor', ${paidMinor}::int, 'paidAt', countersign_now())) as answer`.execute(scratch.db);
  return rows[0]?.answer ?? '';
};

const balanceOf = async (scope: string) =>
  scratch.db
    .selectFrom('balances')
    .select(['captured_minor', 'standing_minor', 'reserved_minor'])
    .where('scope', '=', scope)
    .where('month', '=', await monthNow())
    .executeTakeFirstOrThrow();

test('a renewal that was charged is captured against what was reserved for it, once', async () => {
  const caps = [{ scope: 'renewed', capMinor: 100 }];
  const effect = await renewing(caps, 60);
  await nextMonth();
  await begin(caps);
  expect(await balanceOf('renewed')).toMatchObject({ captured_minor: 0, standing_minor: 60 });
  const answers = await Promise.all([1, 2, 3].map(() => capture(effect, 'in_1', 60)));
  expect(answers.sort()).toEqual(['booked', 'known', 'known']);
  expect(await balanceOf('renewed')).toMatchObject({ captured_minor: 60, standing_minor: 0 });
  await nextMonth();
  await begin(caps);
  expect(await balanceOf('renewed')).toMatchObject({ captured_minor: 0, standing_minor: 60 });
  await sql`select commitment_seen_ended(${effect})`.execute(scratch.db);
  await nextMonth();
  await reserveAgain('renewed', 100);
  expect(await balanceOf('renewed')).toMatchObject({ standing_minor: 0, reserved_minor: 100 });
  expect(await capture('nobody/knows/it/act', 'in_2', 60)).toBe('no-commitment');
});

test('a renewal on record is never changed', async () => {
  await expect(sql`update renewals set amount_minor = 0`.execute(scratch.db)).rejects.toMatchObject(
    {
      code: STATES.forbidden,
    },
  );
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import pg from 'pg';
import { STATES, sqlState } from '../../store/failures.js';
import { verifyLog } from '../../store/log.js';
import type { AuthorizeAsk } from '../../gateway/door-contract.js';
import { reservePlan } from '../../store/reservations.js';
import { asOwner } from '../store/as-owner.js';
import { askFor, effectOf, openScratch, seedPlan, seedRun, type Scratch } from './seed.js';
import { without } from './without.js';

const WORKER = fileURLToPath(new URL('./cap-worker.mjs', import.meta.url));
const STEPS = [{ step: 'create-customer', provider: 'stripe', costMinor: 100 }] as const;

let scratch: Scratch;

beforeAll(async () => {
  scratch = await openScratch();
  await sql
    .raw(
      `create function probe_right() returns text language plpgsql volatile as $$ begin
         perform pg_advisory_xact_lock_shared(7001);
         if exists (select 1 from fences) then return 'refused'; end if; return 'granted'; end $$;
       create function probe_stable() returns text language plpgsql stable as $$ begin
         perform pg_advisory_xact_lock_shared(7001);
         if exists (select 1 from fences) then return 'refused'; end if; return 'granted'; end $$;
       create function probe_one_statement() returns text language plpgsql volatile as $$
       declare v text; begin
         with l as materialized (select pg_advisory_xact_lock_shared(7001))
         select case when exists (select 1 from fences) then 'refused' else 'granted' end into v
           from l; return v; end $$;`,
    )
    .execute(scratch.db);
});
afterAll(async () => {
  await scratch.close();
});
afterEach(async () => {
  // As a lifting leaves it: a fence gone by itself would leave the other layers of its stop standing.
  await sql`delete from fences`.execute(scratch.db);
  await sql`update stops set lifted_at = countersign_now() where lifted_at is null`.execute(
    scratch.db,
  );
});

async function newAsk(sender = 'sender'): Promise<AuthorizeAsk> {
  const run = await seedRun(scratch, STEPS, 'race');
  const gateId = await seedPlan(scratch, run, 1);
  return askFor(scratch, run, 'create-customer', { gateId, sender });
}

/** A stop holds the lock and has set its fence; `body` starts and waits; the stop commits; `body` answers. */
async function duringAStop(body: (client: pg.Client) => Promise<string>): Promise<string> {
  const stopper = new pg.Client({ connectionString: scratch.url });
  const caller = new pg.Client({ connectionString: scratch.url });
  await Promise.all([stopper.connect(), caller.connect()]);
  try {
    await stopper.query('begin');
    await stopper.query('select pg_advisory_xact_lock(7001)');
    await stopper.query(`with s as (insert into stops (scope, reason, stopped_by, proven, fenced_at)
      values ('all', 'race', 'p_ada', true, countersign_now()) returning stop_id)
      insert into fences select 'all', stop_id from s`);
    const answer = body(caller);
    await untilSomeoneWaits();
    await stopper.query('commit');
    return await answer;
  } finally {
    await Promise.all([stopper.end(), caller.end()]);
  }
}

async function untilSomeoneWaits(): Promise<void> {
  for (;;) {
    const { rows } = await sql<{ waiting: number }>`select count(*) as waiting from pg_locks
      where locktype = 'advisory' and not granted
        and database = (select oid from pg_database where datname = current_database())`.execute(
      scratch.db,
    );
    if ((rows[0]?.waiting ?? 0) > 0) return;
  }
}

const ask = async (client: pg.Client, text: string, values: unknown[] = []): Promise<string> => {
  const { rows } = await client.query<{ verdict: string }>(text, values);
  return rows[0]?.verdict ?? 'nothing';
};
const AUTHORIZE = 'select * from door_authorize($1::jsonb)';

test.each([
  ['VOLATILE, the lock as a statement of its own', 'probe_right', 'refused'],
  ['STABLE', 'probe_stable', 'granted'],
  ['lock and read in one statement', 'probe_one_statement', 'granted'],
])('a stop that commits while the function waits: %s', async (_, probe, expected) => {
  const verdict = await duringAStop((client) => ask(client, `select ${probe}() as verdict`));
  expect(verdict).toBe(expected);
});

test('a stop that commits while the right function waits under REPEATABLE READ is missed', async () => {
  const verdict = await duringAStop(async (client) => {
    await client.query('begin isolation level repeatable read');
    const answer = await ask(client, 'select probe_right() as verdict');
    await client.query('commit');
    return answer;
  });
  expect(verdict).toBe('granted');
});

test('a stop that commits while authorize waits is seen by it', async () => {
  const asked = await newAsk();
  expect(await duringAStop((client) => ask(client, AUTHORIZE, [JSON.stringify(asked)]))).toBe(
    'refused',
  );
});

test('a stop that commits while claim waits is seen by it', async () => {
  const asked = await newAsk();
  const claim = JSON.stringify({ ...asked, attempt: 1 });
  await scratch.door.authorize(asked);
  const call = 'select * from door_claim($1::jsonb)';
  expect(await duringAStop((client) => ask(client, call, [claim]))).toBe('refused');
});

test('without its lock authorize does not even wait for the stop, and is granted', async () => {
  const asked = await newAsk();
  await without(scratch.db, ['fence-lock'], async () => {
    const stopper = new pg.Client({ connectionString: scratch.url });
    await stopper.connect();
    try {
      await stopper.query('begin');
      await stopper.query('select pg_advisory_xact_lock(7001)');
      expect((await scratch.door.authorize(asked)).verdict).toBe('granted');
    } finally {
      await stopper.end();
    }
  });
});

test('authorize refuses to work under REPEATABLE READ', async () => {
  const asked = await newAsk();
  const call = scratch.db
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute((tx) =>
      sql`select * from door_authorize(${JSON.stringify(asked)}::jsonb)`.execute(tx),
    );
  const error: unknown = await call.catch((caught: unknown) => caught);
  expect(sqlState(error)).toBe(STATES.isolation);
});

test('without that check, authorize under REPEATABLE READ misses the stop', async () => {
  const asked = await newAsk();
  const verdict = await without(scratch.db, ['read-committed'], () =>
    duringAStop(async (client) => {
      await client.query('begin isolation level repeatable read');
      const answer = await ask(client, AUTHORIZE, [JSON.stringify(asked)]);
      await client.query('commit');
      return answer;
    }),
  );
  expect(verdict).toBe('granted');
});

test('every function of the door is VOLATILE', async () => {
  const { rows } = await sql<{ name: string; volatility: string }>`
    select proname as name, provolatile as volatility from pg_proc p
      join pg_namespace n on n.oid = p.pronamespace and n.nspname = 'public'
     where proname like 'door\_%' and proname <> 'door_repeats'`.execute(scratch.db);
  expect(rows.length).toBeGreaterThan(15);
  expect(rows.filter((row) => row.volatility !== 'v')).toEqual([]);
});

test('four processes with 50 reservations each never pass a cap', async () => {
  const caps = [{ scope: 'race-of-four', capMinor: 1_300 }];
  const asks: AuthorizeAsk[] = [];
  for (let count = 0; count < 200; count += 1) asks.push({ ...(await newAsk()), caps });
  const workers = [0, 1, 2, 3].map((index) => {
    const child = spawn(process.execPath, [WORKER, scratch.url], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    for (const one of asks.slice(index * 50, index * 50 + 50))
      child.stdin.write(`${JSON.stringify(one)}\n`);
    return { child, verdicts: once(child, 'close').then(() => JSON.parse(output) as string[]) };
  });
  for (const { child } of workers) child.stdin.end('go\n');
  const verdicts = (await Promise.all(workers.map((worker) => worker.verdicts))).flat();
  expect(verdicts).toHaveLength(200);
  expect(verdicts.filter((verdict) => verdict === 'granted')).toHaveLength(13);
  expect(verdicts.filter((verdict) => verdict === STATES.cap)).toHaveLength(187);
  const balance = await scratch.db
    .selectFrom('balances')
    .selectAll()
    .where('scope', '=', 'race-of-four')
    .executeTakeFirstOrThrow();
  expect(balance).toMatchObject({ reserved_minor: 1_300, captured_minor: 0 });
  const rows = await sql<{ count: number }>`select count(*) as count from effects
    where effect_id = any(${asks.map((one) => one.effectId)})`.execute(scratch.db);
  expect(rows.rows[0]?.count).toBe(13);
});

test('under twelve authorizers a stop commits, and nothing is authorized after it', async () => {
  const queue = await Promise.all(Array.from({ length: 120 }, () => newAsk()));
  let granted = 0;
  let stopping: Promise<unknown> | undefined;
  const work = async (): Promise<void> => {
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      const answer = await scratch.door.authorize(next);
      if (answer.verdict !== 'granted') return;
      granted += 1;
      if (granted === 20)
        stopping = scratch.door.stop({ scope: 'all', reason: 'race', by: 'p_ada', proven: true });
    }
  };
  await Promise.all(Array.from({ length: 12 }, work));
  await stopping;
  expect(queue.length).toBeGreaterThan(0);
  const log = await scratch.db
    .selectFrom('log')
    .select(['idx', 'kind'])
    .where('kind', 'in', ['authorized', 'stopped'])
    .orderBy('idx', 'desc')
    .limit(1)
    .executeTakeFirstOrThrow();
  expect(log.kind).toBe('stopped');
  expect(await verifyLog(scratch.db)).toHaveProperty('entries');
});

test('the same sender asking again gets the same grant, another one does not', async () => {
  const asked = await newAsk('token-1');
  const first = await scratch.door.authorize(asked);
  const again = await scratch.door.authorize(asked);
  expect(first).toMatchObject({ verdict: 'granted', attempt: 1, epoch: 0 });
  expect(again).toMatchObject({ verdict: 'granted', attempt: 1, epoch: 0 });
  expect(await scratch.door.authorize({ ...asked, sender: 'token-2' })).toMatchObject({
    verdict: 'exists',
    row: { attempt: 1, state: 'claimed' },
  });
  const { operations } = await scratch.db
    .selectFrom('runs')
    .select('operations')
    .where('run_id', '=', asked.runId)
    .executeTakeFirstOrThrow();
  expect(operations).toBe(1);
});

test('a connection killed before the commit leaves nothing, and the call can be made again', async () => {
  const asked = await newAsk('token-1');
  const holder = new pg.Client({ connectionString: scratch.url });
  const victim = new pg.Client({ connectionString: scratch.url });
  victim.on('error', () => undefined);
  await Promise.all([holder.connect(), victim.connect()]);
  const { rows } = await victim.query<{ pid: number }>('select pg_backend_pid() as pid');
  await holder.query('begin');
  await holder.query('select pg_advisory_xact_lock(7001)');
  const lost = victim.query(AUTHORIZE, [JSON.stringify(asked)]).catch((error: unknown) => error);
  await untilSomeoneWaits();
  await holder.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
  expect(await lost).toBeInstanceOf(Error);
  await holder.query('commit');
  await holder.end();
  expect(await scratch.door.row(asked.effectId)).toBeUndefined();
  expect(await scratch.door.authorize(asked)).toMatchObject({ verdict: 'granted', attempt: 1 });
});

test('an answer lost after the commit is asked for again with the same token', async () => {
  const asked = await newAsk('token-1');
  const victim = new pg.Client({ connectionString: scratch.url });
  victim.on('error', () => undefined);
  await victim.connect();
  void victim.query(AUTHORIZE, [JSON.stringify(asked)]).catch(() => undefined);
  while ((await scratch.door.row(asked.effectId)) === undefined);
  await sql`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and query = ${AUTHORIZE}`.execute(scratch.db);
  expect(await scratch.door.authorize(asked)).toMatchObject({ verdict: 'granted', attempt: 1 });
  expect(await scratch.door.rows(asked.runId)).toHaveLength(1);
});

test('a run has one row for a step, whoever asks for it at once', async () => {
  const asked = await newAsk();
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, index) =>
      scratch.door.authorize({ ...asked, sender: `token-${index}` }),
    ),
  );
  expect(answers.filter((answer) => answer.verdict === 'granted')).toHaveLength(1);
  expect(answers.filter((answer) => answer.verdict === 'exists')).toHaveLength(11);
  expect(effectOf(scratch, { runId: asked.runId, steps: [...STEPS] }, 'create-customer')).toBe(
    asked.effectId,
  );
});

test('charges that renew, their ends and new plans over one cap never wait for each other in a circle', async () => {
  const shared = { scope: 'race-of-months', capMinor: 100_000 };
  const capped = async (): Promise<AuthorizeAsk> => {
    const one = await newAsk();
    return { ...one, caps: [shared, { scope: `run:${one.runId}`, capMinor: 1_000 }] };
  };
  const settled: AuthorizeAsk[] = [];
  const opening: AuthorizeAsk[] = [];
  for (let count = 0; count < 40; count += 1) {
    const one = await capped();
    settled.push(one);
    opening.push(await capped());
    expect(await scratch.door.authorize(one)).toMatchObject({ verdict: 'granted' });
  }
  await asOwner(
    scratch.db,
    ['plan_steps'],
    `update plan_steps set renewal_minor = 100, renewal_interval = 'month'`,
  );
  const charge = async (one: AuthorizeAsk): Promise<void> => {
    await scratch.door.settle({
      effectId: one.effectId,
      attempt: 1,
      outcome: 'succeeded',
      object: `sub_${one.runId}`,
      fields: {},
      capturedMinor: 100,
      evidence: {},
    });
    await sql`insert into temporal_ends values (${one.runId}, 'FAILED', countersign_now())`.execute(
      scratch.db,
    );
    const { runId, step } = one;
    await scratch.door.closeDoor({ runId, cause: { kind: 'temporal', status: 'FAILED' } });
    await scratch.door.markClosing(runId, step);
    await scratch.door.authorizeUndo({ runId, step, httpTimeoutMs: 1, sender: 'race' });
    const residue = { minor: 0, text: '' };
    await scratch.door.closeRow({ runId, step, outcome: 'reversed', refundedMinor: 100, residue });
  };
  const open = ({ runId, caps }: AuthorizeAsk): Promise<void> =>
    scratch.db
      .transaction()
      .execute((tx) =>
        reservePlan(tx, runId, [
          { step: 'create-customer', costMinor: 100, currency: 'USD', caps },
        ]),
      );
  const answers = await Promise.allSettled([...settled.map(charge), ...opening.map(open)]);
  expect(answers.flatMap((one) => (one.status === 'rejected' ? [String(one.reason)] : []))).toEqual(
    [],
  );
});

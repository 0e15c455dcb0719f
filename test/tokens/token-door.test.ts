import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import pg from 'pg';
import { createKeyring, keyIdOf } from '../../gateway/keyring.js';
import { createTokenDoor } from '../../gateway/token-door.js';
import type { MintAnswer, MintAsk, TokenDoor } from '../../gateway/token-door.js';
import { dueTokens, liveToken, tokensStanding } from '../../store/provider-tokens.js';
import { advanceClock } from '../../store/clock.js';
import { askFor, openScratch, seedPlan, seedRun } from '../door/seed.js';
import type { Scratch, SeededRun } from '../door/seed.js';
import { without } from '../door/without.js';

const STEPS = [{ step: 'deploy-site', provider: 'cloudflare', costMinor: 0 }] as const;
const SCOPE = { purpose: 'workers', account: 'a'.repeat(32) };
const KEY = randomBytes(32);
const keyring = createKeyring(() => [{ keyId: keyIdOf(KEY), key: KEY }]);

let scratch: Scratch;
let door: TokenDoor;
beforeAll(async () => {
  scratch = await openScratch();
  door = createTokenDoor(scratch.db);
});
afterAll(() => scratch.close());
afterEach(() => lifted());

/** No stop is in force any more, and no agent is suspended by one. */
async function lifted(): Promise<void> {
  await sql`delete from fences`.execute(scratch.db);
  await sql`update stops set lifted_at = countersign_now() where lifted_at is null`.execute(
    scratch.db,
  );
}

async function planned(granted = true): Promise<{ run: SeededRun; ask: MintAsk }> {
  const run = await seedRun(scratch, STEPS, 'token');
  const gateId = await seedPlan(scratch, run, 1, { granted });
  const action = askFor(scratch, run, 'deploy-site', { gateId });
  const { runId, step, effectId, sender, httpTimeoutMs, settlingMs } = action;
  const life = { lifeMs: 900_000, httpTimeoutMs, settlingMs };
  return { run, ask: { ...SCOPE, runId, step, effectId, sender, ...life, action } };
}

type Granted = Extract<MintAnswer, { verdict: 'granted' }>;
async function granted(ask: MintAsk): Promise<Granted> {
  const answer = await door.mint('actions', ask);
  if (answer.verdict !== 'granted') throw new Error(JSON.stringify(answer));
  return answer;
}

const kept = ({ tokenId }: Granted, ask: MintAsk): Promise<'live' | 'due'> =>
  door.minted({
    tokenId,
    providerToken: 'provider-token',
    sealed: keyring.seal('value', {
      instance: scratch.instance,
      runId: ask.runId,
      row: tokenId,
      purpose: ask.purpose,
    }),
  });

const stop = (scope: string) =>
  scratch.door.stop({ scope, reason: 'test', by: 'p_ada', proven: true });

const standing = (ask: MintAsk) =>
  liveToken(scratch.db, { ...SCOPE, zone: '', class: 'actions', runId: ask.runId });

test('a mint is counted and logged, names us, and lives at most fifteen minutes', async () => {
  const { ask, run } = await planned();
  const before = await clockMs();
  const answer = await granted({ ...ask, lifeMs: 3_600_000 });
  expect(answer.name).toBe(`${scratch.instance}/${run.runId}/workers/1`);
  expect(answer.expiresMs).toBeLessThanOrEqual((await clockMs()) + 900_000);
  expect(answer.expiresMs).toBeGreaterThan(before + 890_000);
  const { operations } = await scratch.db
    .selectFrom('runs')
    .select('operations')
    .where('run_id', '=', run.runId)
    .executeTakeFirstOrThrow();
  expect(operations).toBe(1);
  expect(await logged(run)).toEqual(['token-minting']);
  const longer = await without(scratch.db, ['token-expiry'], () =>
    granted({ ...ask, lifeMs: 3_600_000 }),
  );
  expect(longer.expiresMs).toBeGreaterThan(before + 3_500_000);
});

async function clockMs(): Promise<number> {
  const { rows } = await sql<{ at: Date }>`select countersign_now() as at`.execute(scratch.db);
  return rows[0]!.at.getTime();
}

async function logged({ runId }: SeededRun): Promise<string[]> {
  const rows = await scratch.db
    .selectFrom('log')
    .select('kind')
    .where('run_id', '=', runId)
    .orderBy('idx')
    .execute();
  return rows.map(({ kind }) => kind);
}

test('a stop that commits first refuses the mint, and so it does in a race', async () => {
  const { ask, run } = await planned();
  await stop(`run/${run.runId}`);
  expect(await door.mint('actions', ask)).toMatchObject({ verdict: 'refused', reason: 'FENCED' });
  const careless = await without(scratch.db, ['fence-mint'], () => door.mint('actions', ask));
  expect(careless.verdict).toBe('granted');
  const raced = await planned();
  const answer = await duringAStop(() => door.mint('actions', raced.ask));
  expect(answer).toMatchObject({ verdict: 'refused', reason: 'FENCED' });
});

/** A stop holds the lock and has set its fence; the mint starts and waits; the stop commits. */
async function duringAStop<T>(body: () => Promise<T>): Promise<T> {
  const stopper = new pg.Client({ connectionString: scratch.url });
  await stopper.connect();
  try {
    await stopper.query('begin');
    await stopper.query(`select door_stop('all', 'race', 'p_ada', true, 'unwind')`);
    const answer = body();
    for (;;) {
      const { rows } = await sql<{ waiting: number }>`select count(*) as waiting from pg_locks
        where locktype = 'advisory' and not granted
          and database = (select oid from pg_database where datname = current_database())`.execute(
        scratch.db,
      );
      if ((rows[0]?.waiting ?? 0) > 0) break;
    }
    await stopper.query('commit');
    return await answer;
  } finally {
    await stopper.end();
  }
}

test('a mint needs the grant of the effect that needs the token, and uses nothing of it', async () => {
  const { ask } = await planned(false);
  expect(await door.mint('actions', ask)).toMatchObject({
    verdict: 'refused',
    reason: 'GATE_CLOSED',
  });
  const careless = await without(scratch.db, ['grant-mint'], () => door.mint('actions', ask));
  expect(careless.verdict).toBe('granted');
  const whole = await planned();
  await granted(whole.ask);
  const uses = await scratch.db
    .selectFrom('grant_uses')
    .selectAll()
    .where('effect_id', '=', whole.ask.effectId as never)
    .execute();
  expect(uses).toEqual([]);
  if (whole.ask.action === undefined) throw new Error('the ask has its action');
  expect(await scratch.door.authorize(whole.ask.action)).toMatchObject({ verdict: 'granted' });
});

test('while its agent is suspended a run gets no token', async () => {
  const { ask } = await planned();
  await stop('agent/a_test');
  await sql`delete from fences`.execute(scratch.db);
  expect(await door.mint('actions', ask)).toMatchObject({ reason: 'AGENT_SUSPENDED' });
});

test('a mint for another action than planned is refused', async () => {
  const { ask } = await planned();
  const action = { ...ask.action!, digest: `sha256:${'0'.repeat(64)}` as never };
  expect(await door.mint('actions', { ...ask, action })).toMatchObject({
    verdict: 'refused',
    reason: 'DIGEST_MISMATCH',
  });
});

test('behind a closed door no action gets a token, and a reversal only for a row that is closing', async () => {
  const { ask, run } = await planned();
  const reversal = { ...ask, action: undefined };
  expect(await door.mint('compensations', reversal)).toMatchObject({
    verdict: 'refused',
    reason: 'NO_CAUSE',
  });
  const careless = await without(scratch.db, ['cause-mint'], () =>
    door.mint('compensations', reversal),
  );
  expect(careless.verdict).toBe('granted');
  const authorized = await scratch.door.authorize(ask.action!);
  expect(authorized.verdict).toBe('granted');
  await scratch.door.settle({
    effectId: ask.action!.effectId,
    attempt: 1,
    outcome: 'succeeded',
    object: 'worker',
    evidence: {},
  });
  await stop(`run/${run.runId}`);
  await scratch.door.closeDoor({ runId: run.runId, cause: { kind: 'stopped' } });
  await lifted();
  expect(await door.mint('actions', ask)).toMatchObject({ reason: 'DOOR_CLOSED' });
  const open = await without(scratch.db, ['door-mint'], () => door.mint('actions', ask));
  expect(open.verdict).toBe('granted');
  await stop(`run/${run.runId}`);
  await scratch.door.markClosing(run.runId, 'deploy-site');
  // A stop does not hold reversals back.
  expect((await door.mint('compensations', reversal)).verdict).toBe('granted');
});

test('a stop makes the tokens for actions due at once, and those of reversals go on', async () => {
  const { ask, run } = await planned();
  const answer = await granted(ask);
  expect(await kept(answer, ask)).toBe('live');
  await scratch.db
    .updateTable('provider_tokens')
    .set({ class: 'compensations' })
    .where('token_id', '=', answer.tokenId)
    .execute();
  const second = await granted(ask);
  expect(await kept(second, ask)).toBe('live');
  await without(scratch.db, ['revoke-on-stop'], () => stop(`run/${run.runId}`));
  expect(await standing(ask)).toBeDefined();
  expect(await tokensStanding(scratch.db, `run/${run.runId}`)).toBe(1);
  await lifted();
  await stop('agent/a_test');
  expect(await standing(ask)).toBeUndefined();
  const due = await dueTokens(scratch.db, run.runId);
  expect(due.map(({ row }) => [row.token_id, row.due_why])).toEqual([[second.tokenId, 'stopped']]);
  expect(await door.revoked(second.tokenId, 'deleted')).toBe(true);
  expect(await door.revoked(second.tokenId, 'deleted')).toBe(false);
  expect(await tokensStanding(scratch.db, `run/${run.runId}`)).toBe(0);
  const { rows } = await sql<{ ciphertext: unknown }>`
    select ciphertext from provider_tokens where token_id = ${second.tokenId}`.execute(scratch.db);
  expect(rows).toEqual([{ ciphertext: null }]);
});

test('a token whose mint was under way when the stop committed is never live', async () => {
  const { ask, run } = await planned();
  const answer = await granted(ask);
  await stop(`run/${run.runId}`);
  expect(await kept(answer, ask)).toBe('due');
  const other = await planned();
  const second = await granted(other.ask);
  await stop(`run/${other.run.runId}`);
  const careless = await without(scratch.db, ['mint-stopped'], () => kept(second, other.ask));
  expect(careless).toBe('live');
});

test('a further token of the same purpose makes the former one due; another sender waits its turn', async () => {
  const { ask, run } = await planned();
  const short = { ...ask, lifeMs: 2 * (ask.httpTimeoutMs + 2_000) };
  const first = await granted(short);
  expect(await door.mint('actions', { ...ask, sender: 'other' })).toMatchObject({
    verdict: 'wait',
  });
  await kept(first, ask);
  const second = await granted({ ...ask, sender: 'other' });
  await kept(second, ask);
  expect((await standing(ask))?.row.token_id).toBe(second.tokenId);
  const due = await dueTokens(scratch.db, run.runId);
  expect(due.map(({ row }) => [row.name, row.due_why])).toEqual([[first.name, 'rotated']]);
});

test('whoever comes second takes the token that is there: a second one would take the first from under its sender', async () => {
  const { ask, run } = await planned();
  const first = await granted(ask);
  await kept(first, ask);
  const late = { ...ask, sender: 'other' };
  expect(await door.mint('actions', late)).toMatchObject({ verdict: 'wait', waitMs: 1 });
  expect((await standing(ask))?.row.token_id).toBe(first.tokenId);
  const careless = await without(scratch.db, ['mint-twice'], () => granted(late));
  await kept(careless, late);
  const due = await dueTokens(scratch.db, run.runId);
  expect(due.map(({ row }) => [row.name, row.due_why])).toEqual([[first.name, 'rotated']]);
});

test('the end of a run makes all of its tokens due', async () => {
  const { ask, run } = await planned();
  await kept(await granted(ask), ask);
  await scratch.door.authorize(ask.action!);
  await scratch.door.settle({
    effectId: ask.action!.effectId,
    attempt: 1,
    outcome: 'succeeded',
    object: 'worker',
    evidence: {},
  });
  expect(await scratch.door.complete(run.runId)).toBe('completed');
  expect(await standing(ask)).toBeUndefined();
  expect(await dueTokens(scratch.db, run.runId)).toHaveLength(1);
});

test('without its guard the end of a run leaves its tokens standing', async () => {
  const { ask, run } = await planned();
  await kept(await granted(ask), ask);
  await stop(`run/${run.runId}`);
  await sql`update provider_tokens set state = 'live' where run_id = ${run.runId}`.execute(
    scratch.db,
  );
  await without(scratch.db, ['revoke-at-end'], () =>
    scratch.door.closeDoor({ runId: run.runId, cause: { kind: 'stopped' } }),
  );
  expect(await standing(ask)).toBeDefined();
});

test('a token past its time, and one that nobody came back to say was minted, are due', async () => {
  const { ask, run } = await planned();
  await kept(await granted(ask), ask);
  const other = await planned();
  const lost = await granted(other.ask);
  expect(await dueTokens(scratch.db, run.runId)).toEqual([]);
  await advanceClock(scratch.db, 901_000);
  expect(await dueTokens(scratch.db, run.runId)).toHaveLength(1);
  expect((await dueTokens(scratch.db, other.run.runId)).map(({ row }) => row.name)).toEqual([
    lost.name,
  ]);
});

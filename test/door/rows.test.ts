import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { advanceClock } from '../../store/clock.js';
import { casesOf, closing, reason, STEPS } from './cases.js';
import { askFor, now, openScratch, seedPlan, seedRun, sha, type Scratch } from './seed.js';

/** What a row of an effect goes through, and what happens to its money. */
let scratch: Scratch;
const { authorize, balanceOf, closeDoor, newCase, paidAndUndone, policyNow, succeed } = casesOf(
  () => scratch,
);

beforeAll(async () => {
  scratch = await openScratch();
});
afterAll(async () => {
  await scratch.close();
});

describe('money', () => {
  test('what was not used of a reservation goes back when the charge is known', async () => {
    const of = await newCase();
    await authorize({ ...of.ask, policyVersion: await policyNow() });
    expect(await balanceOf(of)).toEqual([{ reserved_minor: 100, captured_minor: 0 }]);
    await succeed(of.ask, 60);
    await succeed(of.ask, 60);
    expect(await balanceOf(of)).toEqual([{ reserved_minor: 0, captured_minor: 60 }]);
  });

  test('a charge above its reservation is booked in full, fences the run and opens a case', async () => {
    const of = await newCase();
    await authorize({ ...of.ask, policyVersion: await policyNow() });
    const settled = await succeed(of.ask, 130);
    expect(settled.caseOpened).toContain('130 USD where 100');
    expect(await balanceOf(of)).toEqual([{ reserved_minor: 0, captured_minor: 130 }]);
    expect(await scratch.door.fences(of.run.runId)).toMatchObject([
      { scope: `run/${of.run.runId}`, mode: 'unwind' },
    ]);
  });

  test('a refund gives room back in the same month, and none later', async () => {
    const same = await paidAndUndone(100);
    await scratch.door.closeRow({ ...closing(same), outcome: 'reversed', refundedMinor: 80 });
    expect(await balanceOf(same)).toEqual([{ reserved_minor: 0, captured_minor: 20 }]);
    const later = await paidAndUndone(100);
    await advanceClock(scratch.db, 32 * 24 * 3_600_000);
    await scratch.door.closeRow({ ...closing(later), outcome: 'reversed', refundedMinor: 80 });
    expect(await balanceOf(later)).toEqual([{ reserved_minor: 0, captured_minor: 100 }]);
  });

  test('what renews is reserved first in the months it falls due', async () => {
    const of = await newCase();
    await sql`insert into commitments values (${'none'}, '{}', 'USD', 0, 'month', '2000-01')`
      .execute(scratch.db)
      .catch(() => undefined);
    const ask = { ...of.ask, policyVersion: await policyNow() };
    await authorize(ask);
    await sql`alter table plan_steps disable trigger plan_steps_rows`.execute(scratch.db);
    await sql`update plan_steps set renewal_minor = 950, renewal_interval = 'month'
      where run_id = ${of.run.runId}`.execute(scratch.db);
    await sql`alter table plan_steps enable trigger plan_steps_rows`.execute(scratch.db);
    await succeed(ask, 100);
    await advanceClock(scratch.db, 32 * 24 * 3_600_000);
    const caps = ask.caps;
    const other = await newCase();
    const next = { ...other.ask, caps, policyVersion: await policyNow() };
    expect(await authorize(next)).toBe('CAP');
  });
});

describe('rows', () => {
  test('the same object again changes nothing, another one opens a case', async () => {
    const of = await newCase();
    await authorize({ ...of.ask, policyVersion: await policyNow() });
    expect((await succeed(of.ask, 100)).caseOpened).toBeUndefined();
    expect((await succeed(of.ask, 100)).caseOpened).toBeUndefined();
    expect((await succeed(of.ask, 100, 'cus_2')).caseOpened).toContain('cus_2');
    expect((await scratch.door.row(of.ask.effectId))?.object).toBe('cus_1');
  });

  test('a success on a row that failed opens a case and fences the run', async () => {
    const of = await newCase();
    await authorize({ ...of.ask, policyVersion: await policyNow() });
    await scratch.door.settle({
      effectId: of.ask.effectId,
      attempt: 1,
      outcome: 'stored-final',
      evidence: { status: 402 },
    });
    expect((await succeed(of.ask, 100)).caseOpened).toContain('failed');
    expect(await scratch.door.fences(of.run.runId)).toMatchObject([
      { scope: `run/${of.run.runId}`, mode: 'unwind' },
    ]);
  });

  test('a declined charge is claimed under a new key at once, with the same grant', async () => {
    const of = await newCase();
    const ask = { ...of.ask, policyVersion: await policyNow() };
    await authorize(ask);
    await scratch.door.settle({
      effectId: ask.effectId,
      attempt: 1,
      outcome: 'stored-final',
      evidence: { status: 402 },
    });
    const claim = await scratch.door.claim({ ...ask, attempt: 1, sender: 'second' });
    expect(claim).toMatchObject({ verdict: 'granted', attempt: 2, epoch: 1 });
    expect(await balanceOf(of)).toEqual([{ reserved_minor: 100, captured_minor: 0 }]);
  });

  test('a row that is claimed makes a second sender wait', async () => {
    const of = await newCase();
    const ask = { ...of.ask, policyVersion: await policyNow() };
    await authorize(ask);
    const claim = await scratch.door.claim({ ...ask, attempt: 1, sender: 'second' });
    expect(claim).toMatchObject({ verdict: 'wait', row: { state: 'claimed' } });
    expect(claim.verdict === 'wait' ? claim.waitMs : 0).toBeGreaterThan(50_000);
  });

  test('a reversal needs a closed door and the settled object of a forward row', async () => {
    const of = await newCase();
    const undo = { runId: of.run.runId, httpTimeoutMs: 1_000, sender: 'undoer' };
    const ask = { ...of.ask, policyVersion: await policyNow() };
    await authorize(ask);
    await succeed(ask, 100);
    expect(reason(await scratch.door.authorizeUndo({ ...undo, step: 'create-customer' }))).toBe(
      'NO_CAUSE',
    );
    await expect(scratch.door.markClosing(of.run.runId, 'create-customer')).rejects.toThrow(
      'not closed',
    );
    await closeDoor(of);
    expect(reason(await scratch.door.authorizeUndo({ ...undo, step: 'register-domain' }))).toBe(
      'NO_CAUSE',
    );
    await scratch.door.markClosing(of.run.runId, 'register-domain');
    expect(reason(await scratch.door.authorizeUndo({ ...undo, step: 'register-domain' }))).toBe(
      'NO_CAUSE',
    );
    expect(await scratch.door.finish(of.run.runId, 'test')).toBe('not-all-closed');
  });

  test('a completed run is undone by nobody, and stays completed', async () => {
    const run = await seedRun(scratch, [STEPS[0]], 'door');
    const gateId = await seedPlan(scratch, run, 1);
    const version = await policyNow();
    const ask = askFor(scratch, run, 'create-customer', { gateId, policyVersion: version });
    expect(await scratch.door.complete(run.runId)).toBe('not-all-succeeded');
    await authorize(ask);
    await succeed(ask, 100);
    expect(await scratch.door.complete(run.runId)).toBe('completed');
    expect(await scratch.door.complete(run.runId)).toBe('completed');
    await expect(closeDoor({ run, gateId, ask })).rejects.toThrow('has completed');
    expect(await scratch.door.finish(run.runId, 'test')).toBe('door-open');
  });

  test('a row closed by hand needs a signed resolution on record', async () => {
    const of = await newCase();
    await authorize({ ...of.ask, policyVersion: await policyNow() });
    await closeDoor(of);
    await scratch.door.markClosing(of.run.runId, 'create-customer');
    const byHand = { ...closing(of), outcome: 'done-by-hand' } as const;
    await expect(scratch.door.closeRow(byHand)).rejects.toThrow('nobody has signed');
    await sql`insert into resolutions values (${sha(of.run.runId)}, ${of.run.runId}, 'create-customer',
      'done-by-hand', 'p_ada', 'key-of-ada', '{}', 's', true, 'done', ${now})`.execute(scratch.db);
    await scratch.door.closeRow(byHand);
    expect((await scratch.door.row(of.ask.effectId))?.outcome).toBe('done-by-hand');
  });
});

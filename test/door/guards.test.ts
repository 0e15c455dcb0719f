import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { play } from './scenario.js';
import { DEADLINE, ENDING } from './scenarios-ending.js';
import { SENDING } from './scenarios-sending.js';
import { openScratch, type Scratch } from './seed.js';
import { guardsIn, without } from './without.js';

/** Guards of the database that this file has no schedule for, and where they are seen red. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'read-committed': 'race.test.ts',
  'fence-lock': 'race.test.ts',
  'policy-version': 'door.test.ts',
  'key-revoked': 'door.test.ts',
  'grant-once': 'door.test.ts',
  cause: 'door.test.ts',
  'undo-bounds': 'door.test.ts',
  'derived-end': 'ends.test.ts',
  'close-absent': 'door.test.ts',
  'resume-once': 'door.test.ts',
  'agent-state': 'test/gateway/identity.test.ts',
  'owner-gone': 'test/gateway/identity.test.ts',
  delegated: 'test/gateway/identity.test.ts',
  'delegation-demanded': 'test/gateway/delegation-policy.test.ts',
  'delegation-revoked': 'test/gateway/identity.test.ts',
  'delegation-until': 'test/gateway/identity.test.ts',
  'delegation-steps': 'test/gateway/identity.test.ts',
  'delegation-ceiling': 'test/gateway/identity.test.ts',
  breaker: 'test/gateway/calls.test.ts',
  'reversal-share': 'test/gateway/calls.test.ts',
  'agent-share': 'test/gateway/calls.test.ts',
  'fence-still': 'test/gateway/frozen.test.ts',
  'pause-cause': 'test/gateway/pauses.test.ts',
  'pause-wire': 'test/gateway/pauses.test.ts',
  'pause-read': 'test/gateway/pauses.test.ts',
  'pause-of-others': 'test/gateway/pauses.test.ts',
  'agent-stopped': 'test/gateway/stop-layers.test.ts',
  'budget-zero': 'test/gateway/stop-layers.test.ts',
  'dispute-once': 'test/gateway/money-back.test.ts',
  'refund-room-back': 'test/gateway/money-back.test.ts',
  'glass-expiry': 'test/gateway/break-glass.test.ts',
  'alert-once': 'money.test.ts',
  'renewals-first': 'money.test.ts',
  'month-lock': 'money.test.ts',
  'finding-once': 'findings.test.ts',
  'fence-mint': 'test/tokens/token-door.test.ts',
  'door-mint': 'test/tokens/token-door.test.ts',
  'grant-mint': 'test/tokens/token-door.test.ts',
  'cause-mint': 'test/tokens/token-door.test.ts',
  'token-expiry': 'test/tokens/token-door.test.ts',
  'mint-stopped': 'test/tokens/token-door.test.ts',
  'mint-twice': 'test/tokens/token-door.test.ts',
  'tear-standing': 'test/gateway/teardown.test.ts',
  'torn-mark': 'test/gateway/teardown.test.ts',
  'torn-commitment': 'test/gateway/teardown.test.ts',
  'revoke-on-stop': 'test/tokens/token-door.test.ts',
  'revoke-at-end': 'test/tokens/token-door.test.ts',
  'claim-wait': 'redundant for safety: docs/effects.md',
  'key-since': 'redundant for safety: docs/effects.md',
  'reads-of-attempt': 'partner of attempt-token',
  'attempt-forward': 'partner of takeover-counts',
};

const SCENARIOS = [...SENDING, ...ENDING];
let scratch: Scratch;

beforeAll(async () => {
  scratch = await openScratch();
});
afterAll(async () => {
  await scratch.close();
});

describe.each(SCENARIOS.map((scenario) => [scenario.guard, scenario] as const))(
  'the guard %s',
  (guard, scenario) => {
    const partners = scenario.partners ?? [];

    test('holds its schedule up', async () => {
      const world = await without(scratch.db, partners, () => play(scratch, scenario));
      expect([...world.violations].map((name) => [name, ...world.trace])).toEqual([]);
    });

    test(`is needed: without it the schedule breaks ${scenario.violates}`, async () => {
      const world = await without(scratch.db, [guard, ...partners], () => play(scratch, scenario));
      expect([...world.violations, '', ...world.trace].join('\n')).toContain(scenario.violates);
    });
  },
);

describe("the sender's check of its deadline", () => {
  test('holds its schedule up', async () => {
    const world = await play(scratch, DEADLINE);
    expect([...world.violations]).toEqual([]);
  });

  test('is needed: without it an object is made after the run was reversed', async () => {
    const world = await play(scratch, DEADLINE, { ...DEADLINE.options, deadlineCheck: false });
    expect([...world.violations]).toContain(DEADLINE.violates);
    expect([...world.violations]).toContain('I2_NoLateSend');
  });
});

test('every guard in the functions is seen red here or in the file named for it', async () => {
  const known = [...SCENARIOS.map((scenario) => scenario.guard), ...Object.keys(ELSEWHERE)];
  expect([...(await guardsIn(scratch.db))].sort()).toEqual(known.sort());
});

test('each guard mark ends before the next begins', async () => {
  const { rows } = await sql<{ source: string }>`
    select prosrc as source from pg_proc p
      join pg_namespace n on n.oid = p.pronamespace and n.nspname = 'public'`.execute(scratch.db);
  for (const { source } of rows) {
    const marks = source.match(/guard:[a-z0-9-]+ else |\/\* end \*\//g) ?? [];
    expect(marks.map((mark) => mark.startsWith('guard'))).toEqual(
      marks.map((_, index) => index % 2 === 0),
    );
  }
});

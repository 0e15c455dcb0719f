import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import type {
  KyselyPlugin,
  PluginTransformQueryArgs,
  PluginTransformResultArgs,
  QueryResult,
  RootOperationNode,
  UnknownRow,
} from 'kysely';
import { canonicalize } from '../../domain/canonical.js';
import type { RunId } from '../../domain/ids.js';
import { policyDigestOf } from '../../domain/policy/schema.js';
import type { Parts } from '../../gateway/parts.js';
import { planRun } from '../../gateway/planning.js';
import { activatePolicy } from '../../store/policies.js';
import { trialPolicy } from '../helpers/trial-policy.js';
import { openSandbox, takenBack, upTo } from './at-sandbox.js';
import type { AtSandbox, Sandboxed } from './at-sandbox.js';
import { admitted, approved, claimOf, sender } from './house.js';

/** One run plans to build on what another one takes back at that very moment: one of the two gives way. */
let sandbox: Sandboxed;
let at: AtSandbox;
beforeAll(async () => {
  sandbox = await openSandbox();
});
afterAll(() => sandbox.close());
afterEach(() => at.close());

const OTHER = {
  goal: 'Put other-name.club online',
  domain: { name: 'other-name.club', years: 1 },
};

/** A run with a customer and a subscription, stopped, whose door is closed: nothing of it is taken back yet. */
async function stopping(): Promise<RunId> {
  const runId = await admitted(at, 'first');
  await approved(at, runId, 'plan');
  await upTo(at, runId, 'start-subscription');
  await at.gateway.stopRun(runId, 'p_ada', 'enough', 'unwind');
  await at.gateway.closeDoor(runId, { kind: 'stopped' });
  return runId;
}

const second = async (): Promise<RunId> =>
  (await at.gateway.admit(claimOf(at, 'second', OTHER))).runId;

/** The same gateway parts, with something happening once the last read of a quote has been answered. */
const afterQuote = (body: () => Promise<unknown>): Parts => ({
  ...at.parts,
  readers: {
    ...at.parts.readers,
    cloudflare: {
      ...at.parts.readers.cloudflare,
      customDomain: async (...asked) => {
        const seen = await at.parts.readers.cloudflare.customDomain(...asked);
        await body();
        return seen;
      },
    },
  },
});

/** Something happening once the rows that a plan counts upon were looked at, before the plan is committed. */
class AfterLook implements KyselyPlugin {
  readonly #looks = new WeakSet<object>();
  constructor(readonly body: () => Promise<unknown>) {}

  transformQuery({ node, queryId }: PluginTransformQueryArgs): RootOperationNode {
    if (node.kind === 'RawNode' && node.sqlFragments.join('').includes('effects_held('))
      this.#looks.add(queryId);
    return node;
  }

  async transformResult({
    queryId,
    result,
  }: PluginTransformResultArgs): Promise<QueryResult<UnknownRow>> {
    if (this.#looks.has(queryId)) await this.body();
    return result;
  }
}

const planOf = async (parts: Parts, runId: RunId): Promise<Record<string, string>> => {
  const { plan } = await planRun(parts, runId);
  return Object.fromEntries(plan.steps.map(({ step, kind }) => [step, kind]));
};

/** Until a backend of this database waits for a lock. */
async function waiting(): Promise<'waits'> {
  for (;;) {
    const { rows } = await sql`
      select 1 from pg_stat_activity where datname = current_database()
         and wait_event_type = 'Lock'`.execute(at.db);
    if (rows.length > 0) return 'waits';
  }
}

test('what was taken back between the reading and the writing of a plan is planned anew', async () => {
  at = await sandbox.open('race-quoted');
  const first = await stopping();
  const runId = await second();
  await expect(
    planOf(
      afterQuote(async () => {
        for (const step of ['start-subscription', 'create-customer'] as const)
          await takenBack(at, first, step);
      }),
      runId,
    ),
  ).rejects.toMatchObject({ code: 'BUSY', message: expect.stringContaining('first') as unknown });
  expect(await planOf(at.parts, runId)).toMatchObject({
    'create-customer': 'act',
    'start-subscription': 'act',
  });
});

test('what is being taken back is not built upon until that is over', async () => {
  at = await sandbox.open('race-closing');
  const first = await stopping();
  const runId = await second();
  await at.parts.door.markClosing(first, 'start-subscription');
  await expect(planOf(at.parts, runId)).rejects.toMatchObject({ code: 'BUSY' });
  expect((await at.gateway.report(runId)).phase).toBe('quoting');
  expect(await takenBack(at, first, 'start-subscription')).toBe('reversed');
  expect(await planOf(at.parts, runId)).toMatchObject({
    'create-customer': 'adopt',
    'start-subscription': 'act',
  });
});

test('a reversal that begins while a plan is being written waits, and then sees its adopter', async () => {
  at = await sandbox.open('race-written');
  const first = await stopping();
  const runId = await second();
  let reversal: Promise<unknown> | undefined;
  const parts = {
    ...at.parts,
    db: at.db.withPlugin(
      new AfterLook(async () => {
        reversal = at.gateway
          .reverse(first, 'start-subscription', sender())
          .catch((error: unknown) => error);
        // Either it waits for the plan, or it is through already.
        await Promise.race([reversal, waiting()]);
      }),
    ),
  };
  expect(await planOf(parts, runId)).toMatchObject({ 'start-subscription': 'adopt' });
  expect(await reversal).toMatchObject({
    code: 'USED_BY_OTHERS',
    message: expect.stringContaining('second') as unknown,
  });
  const { charges } = await at.control.truth(at.world);
  expect(charges.map(({ refundedMinor }) => refundedMinor)).toEqual([0]);
});

test('a run that was there first plans on, although a reversal of what it adopted waits for a person', async () => {
  at = await sandbox.open('race-standing');
  const first = await stopping();
  const runId = await second();
  await planOf(at.parts, runId);
  await expect(takenBack(at, first, 'start-subscription')).rejects.toMatchObject({
    code: 'USED_BY_OTHERS',
  });
  // Another policy is in force: the plan is written anew.
  const policy = trialPolicy({ override: { expiry: '12h' } });
  await activatePolicy(at.db, {
    digest: policyDigestOf(policy),
    document: canonicalize(policy),
    activatedBy: 'test',
  });
  const { plan } = await planRun(at.parts, runId);
  expect(plan.revision).toBe(2);
  expect(await planOf(at.parts, runId)).toMatchObject({ 'start-subscription': 'adopt' });
});

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { canonicalize } from '../../domain/canonical.js';
import type { RunId } from '../../domain/ids.js';
import { policyDigestOf, type Policy } from '../../domain/policy/schema.js';
import { EFFECT_STEPS } from '../../domain/steps.js';
import { activatePolicy } from '../../store/policies.js';
import { ensureBuilt } from '../helpers/build.js';
import { trialPolicy } from '../helpers/trial-policy.js';
import { admitted, openHouse, perform, type House } from './house.js';

/** Fifty runs at once, from five processes, against a cap that has room for one: at every scope there is. */
const RUNNER = fileURLToPath(new URL('./cap-runner.mjs', import.meta.url));
const RUNS = 50;
const PROCESSES = 5;

/** What one run costs: a name for a year, and nothing else. */
const COST = '11.20 USD';
const ROOMY_CAP = '9000.00 USD';

const policyWith = (change: Partial<Policy>): Policy =>
  trialPolicy({
    override: {
      caps: {
        organisation: ROOMY_CAP,
        principal: ROOMY_CAP,
        agent: ROOMY_CAP,
        provider: ROOMY_CAP,
        principalProvider: ROOMY_CAP,
        run: '200.00 USD',
        ...change.caps,
      },
      tiers: [{ step: '*', tier: 'autonomous' }],
      terms: [],
      bundleIrreversible: ['register-domain'],
      counts: {
        operationsPerRun: 20,
        openRunsPerAgent: 100,
        runsPerHour: 100,
        ...change.counts,
      },
    },
  });

let house: House;
beforeAll(async () => {
  await ensureBuilt();
}, 300_000);
beforeEach(async () => {
  house = await openHouse(policyWith({}));
});
afterEach(() => house.close());

const inForce = (policy: Policy): Promise<number> =>
  activatePolicy(house.db, {
    digest: policyDigestOf(policy),
    document: canonicalize(policy),
    activatedBy: 'test',
  });

async function planned(budget = '150.00 USD', count = RUNS): Promise<RunId[]> {
  const runs = [];
  for (let at = 0; at < count; at += 1)
    runs.push(
      await admitted(house, `site-${at}`, {
        goal: 'A site',
        budget,
        subscription: undefined,
        domain: { name: `site-${at}.club`, years: 1 },
      }),
    );
  return runs;
}

interface Ending {
  readonly runId: RunId;
  readonly passed?: boolean;
  readonly phase?: string;
  readonly why?: string;
  readonly rules?: readonly string[];
}

/** Every process has its runs before the first one begins. */
async function raced(runs: readonly RunId[]): Promise<Ending[]> {
  const children = Array.from({ length: PROCESSES }, (_, at) => {
    const child = spawn(process.execPath, [RUNNER, house.url, house.instance], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    for (const runId of runs.filter((_run, index) => index % PROCESSES === at))
      child.stdin.write(`${runId}\n`);
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString('utf8')));
    return {
      go: () => child.stdin.end('go\n'),
      done: new Promise<Ending[]>((resolve, reject) => {
        child.once('error', reject);
        child.once('close', () => {
          try {
            resolve(JSON.parse(out) as Ending[]);
          } catch {
            reject(new Error(`a process of the race answered ${JSON.stringify(out)}`));
          }
        });
      }),
    };
  });
  for (const { go } of children) go();
  return (await Promise.all(children.map(({ done }) => done))).flat();
}

/** One passes and does its work; the others end denied, by this rule, and nothing of theirs is anywhere. */
async function onePasses(endings: readonly Ending[], rule: string, named: string): Promise<void> {
  const passed = endings.filter((ending) => ending.passed);
  expect(passed).toHaveLength(1);
  const [{ runId: winner } = { runId: '' as RunId }] = passed;
  const denied = endings.filter(({ runId }) => runId !== winner);
  expect(denied).toHaveLength(RUNS - 1);
  for (const ending of denied)
    expect(ending).toMatchObject({
      phase: 'denied',
      rules: [rule],
      why: expect.stringContaining(named) as unknown,
    });
  for (const step of EFFECT_STEPS)
    if (!['create-customer', 'start-subscription', 'configure-dns'].includes(step))
      await perform(house, winner, step);
  const makers = house.stub.things.map(({ params }) => params['run'] ?? winner);
  expect(new Set(makers)).toEqual(new Set([winner]));
  const rows = await house.db.selectFrom('effects').select('run_id').distinct().execute();
  expect(rows.map(({ run_id }) => run_id)).toEqual([winner]);
  const held = await house.db
    .selectFrom('reservations')
    .select('run_id')
    .distinct()
    .where('state', '<>', 'released')
    .execute();
  expect(held.map(({ run_id }) => run_id)).toEqual([winner]);
  const balances = await house.db
    .selectFrom('balances')
    .select(['reserved_minor', 'captured_minor'])
    .where('scope', 'not like', 'run:%')
    .execute();
  for (const { reserved_minor: reserved, captured_minor: captured } of balances)
    expect(reserved + captured).toBeLessThanOrEqual(1120);
}

const SCOPES = {
  organisation: 'cap organisation:',
  principal: 'cap principal:pr_owner:',
  agent: 'cap agent:launch-agent:',
  provider: 'cap provider:cloudflare:',
  principalProvider: 'cap principal-provider:pr_owner:cloudflare:',
} as const satisfies Partial<Record<keyof Policy['caps'], string>>;

test.each(Object.entries(SCOPES))(
  'fifty runs from five processes against caps.%s for one: one passes, 49 are denied by it',
  async (member, named) => {
    await inForce(policyWith({ caps: { [member]: COST } as Policy['caps'] }));
    await onePasses(await raced(await planned()), `caps.${member}`, named);
  },
  120_000,
);

const COUNTS = ['newDomainsPerDay', 'newAccountsPerDay'] as const;

test.each(COUNTS)(
  'fifty runs from five processes against counts.%s of one: one passes, 49 are denied by it',
  async (name) => {
    await inForce(policyWith({ counts: { ...policyWith({}).counts, [name]: 1 } }));
    await onePasses(await raced(await planned()), `counts.${name}`, `counts.${name}: 1 of 1`);
  },
  120_000,
);

test('fifty runs whose own budget is a cent too small are all denied by it, each for itself', async () => {
  const runs = await planned('11.19 USD');
  const endings = await raced(runs);
  expect(endings.filter(({ passed }) => passed)).toEqual([]);
  for (const ending of endings)
    expect(ending).toMatchObject({
      phase: 'denied',
      rules: ['caps.run'],
      why: expect.stringContaining("above the request's budget of 11.19 USD") as unknown,
    });
  expect(await house.db.selectFrom('reservations').selectAll().execute()).toEqual([]);
  expect(house.stub.things).toEqual([]);
});

test('the first gate of one run, opened by five processes at once, takes its share once', async () => {
  await inForce(policyWith({ caps: { run: COST } as Policy['caps'] }));
  const [runId] = await planned('150.00 USD', 1);
  const endings = await raced(Array.from({ length: PROCESSES }, () => runId!));
  expect(endings.map(({ passed }) => passed)).toEqual(Array.from(endings, () => true));
  const held = await house.db.selectFrom('reservations').select('amount_minor').execute();
  expect(held).toEqual([{ amount_minor: 1120 }]);
});

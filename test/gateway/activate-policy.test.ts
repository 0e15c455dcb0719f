import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { canonicalize } from '../../domain/canonical.js';
import { Failure } from '../../domain/errors.js';
import { type Policy, policyDigestOf } from '../../domain/policy/schema.js';
import { parseInstance } from '../../domain/ids.js';
import { PLAIN_TRUST } from '../../domain/trust.js';
import { signStatement } from '../../domain/signature.js';
import { activateSigned, type Activation } from '../../gateway/activate-policy.js';
import { policyInForce } from '../../gateway/policy.js';
import { databaseNow } from '../../store/clock.js';
import { connect, type Database } from '../../store/connect.js';
import { migrate } from '../../store/migrate.js';
import { activatePolicy, insertPolicy, listPolicies } from '../../store/policies.js';
import { freshDatabase, type FreshDatabase } from '../helpers/database.js';
import { trialPolicy } from '../helpers/trial-policy.js';
import { enrolled, type Enrolled, type Signer } from './people.js';

let database: FreshDatabase;
let db: Database;
let instance: string;
let people: Enrolled;
let version = 1;

const named = (name: string, override: Partial<Policy> = {}): Policy =>
  trialPolicy({ override: { name, ...override } });

beforeAll(async () => {
  database = await freshDatabase();
  instance = (await migrate(database.url, { mode: 'embedded' })).id;
  db = connect(database.url);
  people = await enrolled(db);
  const policy = named('first');
  await activatePolicy(db, {
    digest: policyDigestOf(policy),
    document: canonicalize(policy),
    activatedBy: 'built-in',
  });
});

afterAll(async () => {
  await db.destroy();
  await database.drop();
});

async function statement(
  policy: Policy,
  by: Signer,
  changes: Record<string, unknown> = {},
): Promise<Record<string, unknown>> {
  const whole = {
    type: 'countersign.policy.v1',
    instance,
    policyDigest: policyDigestOf(policy),
    version: version + 1,
    by: by.person,
    keyId: by.keyId,
    reason: 'a reason',
    at: (await databaseNow(db)).toISOString(),
    ...changes,
  };
  return { ...whole, signature: signStatement(whole, by.seed) };
}

const pins = () => ({ instance: parseInstance(instance), trust: PLAIN_TRUST });
const activate = (policy: Policy, messages: readonly unknown[]): Promise<Activation> =>
  activateSigned({ db, ...pins() }, policy, messages);

/** Activates with Ada's word; the version counts on. */
async function activated(policy: Policy, ...signers: Signer[]): Promise<void> {
  const messages = await Promise.all(signers.map((signer) => statement(policy, signer)));
  expect(await activate(policy, messages)).toMatchObject({ activated: true });
  version += 1;
}

describe('refused, recorded by reason, and nothing changed', () => {
  const next = named('next');
  test.each<[string, () => Promise<readonly unknown[]>, string]>([
    ['nobody signs', () => Promise.resolve([]), 'unsigned'],
    [
      'a statement without a signature',
      async () => {
        const whole = await statement(next, people.ada);
        return [Object.fromEntries(Object.entries(whole).filter(([name]) => name !== 'signature'))];
      },
      'unsigned',
    ],
    [
      'a signature over something else',
      async () => [{ ...(await statement(next, people.ada)), reason: 'another' }],
      'signature-bad',
    ],
    [
      'a statement about another document',
      async () => [await statement(named('other'), people.ada)],
      'digest-mismatch',
    ],
    [
      'a statement for the version in force',
      async () => [await statement(next, people.ada, { version })],
      'version-mismatch',
    ],
    [
      'a statement for a later version',
      async () => [await statement(next, people.ada, { version: version + 2 })],
      'version-mismatch',
    ],
    [
      'another installation',
      async () => [await statement(next, people.ada, { instance: 'f'.repeat(32) })],
      'instance-mismatch',
    ],
    [
      'another type of statement',
      async () => [await statement(next, people.ada, { type: 'countersign.resume.v1' })],
      'malformed',
    ],
    [
      'an unknown key',
      async () => [await statement(next, people.ada, { keyId: 'a'.repeat(43) })],
      'key-unknown',
    ],
    [
      "another person's key",
      async () => [await statement(next, people.ada, { by: 'p_bob' })],
      'key-not-of-approver',
    ],
    [
      'a statement of last week',
      async () => [
        await statement(next, people.ada, {
          at: new Date((await databaseNow(db)).getTime() - 7 * 86_400_000).toISOString(),
        }),
      ],
      'clock-skew',
    ],
    ['the policy in force', async () => [await statement(named('first'), people.ada)], 'in-force'],
  ])('%s', async (title, messages, reason) => {
    const policy = title === 'the policy in force' ? named('first') : next;
    expect(await activate(policy, await messages())).toMatchObject({ activated: false, reason });
    expect((await policyInForce(db, pins())).policy.name).toBe('first');
    const last = await db
      .selectFrom('refusals')
      .selectAll()
      .orderBy('id', 'desc')
      .executeTakeFirstOrThrow();
    expect(last).toMatchObject({ asked: 'activate-policy', reason });
  });
});

test('a signed policy is in force from its commit, with its statements on record, and the version grows', async () => {
  const first = await statement(named('second'), people.ada);
  expect(await activate(named('second'), [first])).toMatchObject({ activated: true });
  version += 1;
  expect(await policyInForce(db, pins())).toMatchObject({ version, policy: { name: 'second' } });
  const [row] = await listPolicies(db);
  expect(row).toMatchObject({ activated_by: 'p_ada', reason: 'a reason' });
  expect(JSON.parse(row?.statements ?? '')).toEqual([first]);
  // Back to the older text is a new version, and the old statement is good for nothing.
  expect(await activate(named('second'), [first])).toMatchObject({ reason: 'in-force' });
  await activated(named('first'), people.ada);
  expect(await activate(named('second'), [first])).toMatchObject({ reason: 'version-mismatch' });
});

test('the rule of the policy in force counts, not that of the one proposed; persons are counted', async () => {
  const strict = named('two persons', {
    activation: { allOf: [{ group: 'approvers', count: 2 }] },
  });
  await activated(strict, people.ada);
  const lax = named('one person');
  const ada = await statement(lax, people.ada);
  const again = await statement(lax, people.ada, { reason: 'again' });
  const bob = await statement(lax, people.bob);
  expect(await activate(lax, [ada])).toMatchObject({ reason: 'rule-not-met' });
  expect(await activate(lax, [ada, again])).toMatchObject({ reason: 'rule-not-met' });
  expect(await activate(lax, [ada, bob])).toMatchObject({ activated: true });
  version += 1;
});

test('whoever is in no group that is asked may not', async () => {
  await activated(
    named('admins', {
      activation: { allOf: [{ group: 'admins', count: 1 }] },
      groups: [{ name: 'admins', persons: ['p_bob'] }],
    }),
    people.ada,
  );
  const next = named('next');
  expect(await activate(next, [await statement(next, people.ada)])).toMatchObject({
    reason: 'not-in-group',
  });
  await activated(next, people.bob);
});

test('two activations at once: one of them, and the version is used once', async () => {
  const policies = ['left', 'right'].map((name) => named(name));
  const messages = await Promise.all(policies.map((policy) => statement(policy, people.ada)));
  const answers = await Promise.all(policies.map((policy, i) => activate(policy, [messages[i]])));
  expect(answers.map((answer) => answer.activated).sort()).toEqual([false, true]);
  expect(answers.find((answer) => !answer.activated)).toMatchObject({ reason: 'version-mismatch' });
  version += 1;
});

describe('a row that no activation wrote', () => {
  test.each([
    [
      'whose digest names another document',
      { digest: `sha256:${'0'.repeat(64)}`, document: canonicalize(named('laxer')) },
    ],
    ['that is no policy', undefined],
  ])('%s denies everything, and the last valid policy says who may mend it', async (_, row) => {
    const written = row ?? {
      digest: 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
      document: '{}',
    };
    await db
      .transaction()
      .execute((tx) => insertPolicy(tx, { ...written, activatedBy: 'somebody' }, version + 1));
    version += 1;
    await expect(policyInForce(db, pins())).rejects.toThrow(Failure);
    await activated(named(`mended ${version}`), people.ada);
    expect((await policyInForce(db, pins())).policy.name).toMatch(/^mended/);
  });
});

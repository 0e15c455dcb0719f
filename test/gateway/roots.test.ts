import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { canonicalize } from '../../domain/canonical.js';
import type { ResumeMessage } from '../../domain/documents.js';
import { policyDigestOf, type Policy } from '../../domain/policy/schema.js';
import { createGateway } from '../../gateway/create-gateway.js';
import { liftStop } from '../../gateway/lift-fence.js';
import type { Parts } from '../../gateway/parts.js';
import { policyInForce } from '../../gateway/policy.js';
import { revokeSigned } from '../../gateway/revoke-key.js';
import { insertPolicy } from '../../store/policies.js';
import { checkRoots } from '../../workers/startup-checks.js';
import { trialPolicy } from '../helpers/trial-policy.js';
import { activatedBy, admittedKey, pinned, policyWord, rooted, signedBy } from './ceremony.js';
import { admitted, decisionOf, opened, openHouse, sender, type House } from './house.js';
import { signer } from './people.js';

let house: House;
beforeEach(async () => {
  house = await openHouse();
}, 120_000);
afterEach(() => house.close());

const named = (name: string, override: Partial<Policy> = {}): Policy =>
  trialPolicy({
    override: {
      name,
      keys: { delay: '1h', deviceBound: 'nowhere' },
      groups: [{ name: 'approvers', persons: ['p_root_a', 'p_root_b'] }],
      ...override,
    },
  });

/** A version as whoever can write to the database writes it: by the role of our processes. */
const planted = (policy: Policy, version: number, statements: readonly unknown[] = []) =>
  house.parts.db.transaction().execute((tx) =>
    insertPolicy(
      tx,
      {
        digest: policyDigestOf(policy),
        document: canonicalize(policy),
        activatedBy: 'p_root_a p_root_b',
        statements,
      },
      version,
    ),
  );

const inForce = async (parts: Parts): Promise<string> => {
  try {
    return (await policyInForce(parts.db, parts)).policy.name;
  } catch (error) {
    return (error as { code: string }).code;
  }
};

test('where roots are pinned, a writer to the database puts no policy in force, and nothing is decided or sent under theirs', async () => {
  const { parts, roots } = await rooted(house, named('signed'));
  expect(await inForce(parts)).toBe('signed');
  const gateway = createGateway(parts);
  const runId = await admitted({ ...house, gateway }, 'under-roots');
  const gate = await opened({ ...house, gateway }, runId, 'plan');
  const decide = async () =>
    gateway.recordDecision(runId, await decisionOf(house, gate, roots[0]), 'http');
  expect(await decide()).toMatchObject({ accepted: true, gateState: 'granted' });

  const lax = named('lax', { tiers: [{ step: '*', tier: 'autonomous' }] });
  // Statements that are good, and about something else: the version before, and another document.
  const word = await policyWord(house, roots[0], { policy: named('signed'), version: 2 });
  await planted(lax, 3, [word, await policyWord(house, roots[1], { policy: lax, version: 2 })]);
  expect(await inForce(parts)).toBe('POLICY_MISSING');
  await expect(gateway.perform(runId, 'create-customer', sender())).rejects.toMatchObject({
    code: 'POLICY_MISSING',
  });
  await expect(decide()).rejects.toMatchObject({ code: 'POLICY_MISSING' });
  // The last one that is believed says who mends it.
  expect(await activatedBy(house, parts, named('mended'), [house.ada])).toMatchObject({
    activated: false,
    reason: 'key-unknown',
  });
  expect(await activatedBy(house, parts, named('mended'), [roots[0]])).toMatchObject({
    activated: true,
    version: 4,
  });
  expect(await inForce(parts)).toBe('mended');
}, 60_000);

test('a policy stands on words of keys that count: called compromised, a key takes with it what it signed since', async () => {
  const { parts, roots } = await rooted(house, named('signed'));
  const dora = signer('p_dora');
  await admittedKey(house, parts, dora, roots);
  await house.advance(3_600_001);
  expect(await activatedBy(house, parts, named('of dora'), [dora])).toMatchObject({
    activated: true,
  });
  expect(await inForce(parts)).toBe('of dora');
  const end = { revokes: dora.keyId, as: 'compromised' };
  const message = await signedBy(house, roots[0], 'countersign.revoke.v1', end);
  expect(await revokeSigned(parts, message)).toMatchObject({ revoked: true });
  expect(await inForce(parts)).toBe('POLICY_MISSING');
  expect(await activatedBy(house, parts, named('again'), [roots[1]])).toMatchObject({
    activated: true,
    version: 4,
  });
  expect(await inForce(parts)).toBe('again');
}, 60_000);

test('without two of the pinned roots no first policy comes about', async () => {
  const { parts, roots } = await pinned(house);
  expect(await inForce(parts)).toBe('POLICY_MISSING');
  expect(await activatedBy(house, parts, named('first'), [roots[0], roots[0]])).toMatchObject({
    reason: 'rule-not-met',
  });
  expect(await activatedBy(house, parts, named('first'), [roots[0], house.ada])).toMatchObject({
    reason: 'key-unknown',
  });
  expect(await activatedBy(house, parts, named('first'), roots)).toMatchObject({ version: 2 });
});

test('other roots than before are taken by name alone, and everything is held until one of theirs lifts it', async () => {
  const { parts } = await rooted(house, named('of the lost'));
  const quietly = { recover: false };
  expect(await checkRoots(parts, quietly)).toBeUndefined();
  expect(await checkRoots(parts, quietly)).toBeUndefined();
  const fresh = await pinned(house, ['p_new_a', 'p_new_b']);
  await expect(checkRoots(fresh.parts, quietly)).rejects.toMatchObject({
    exitCode: 2,
    message: expect.stringContaining('--recover') as unknown,
  });
  expect(await checkRoots(fresh.parts, { recover: true })).toContain('everything is held');
  expect(await checkRoots(fresh.parts, quietly)).toBeUndefined();
  const log = await house.db
    .selectFrom('log')
    .select('kind')
    .where('kind', 'like', 'roots-%')
    .orderBy('idx')
    .execute();
  expect(log.map(({ kind }) => kind)).toEqual(['roots-pinned', 'roots-recovered']);
  const fences = await house.db.selectFrom('fences').select('scope').execute();
  expect(fences).toEqual([{ scope: 'all' }]);
  // Nothing of before is believed: not its policy, not its persons.
  expect(await inForce(fresh.parts)).toBe('POLICY_MISSING');
  const answer = await activatedBy(house, fresh.parts, named('of the new'), fresh.roots);
  expect(answer).toMatchObject({ activated: true, version: 3 });
  const lift = async (by = fresh.roots[0]) =>
    liftStop(
      fresh.parts,
      (await signedBy(house, by, 'countersign.resume.v1', { scope: 'all' })) as ResumeMessage,
    );
  expect(await lift(house.ada)).toMatchObject({ lifted: false, reason: 'key-unknown' });
  expect(await lift()).toEqual({ lifted: true });
  // One root less is no other root: it is recorded, and nothing is held.
  const fewer = { ...fresh.parts, trust: { rootKeys: [fresh.roots[0].keyId] } };
  expect(await checkRoots(fewer, quietly)).toBeUndefined();
  expect(await house.db.selectFrom('fences').selectAll().execute()).toEqual([]);
}, 60_000);

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { encodeBase64url } from '../../domain/base64url.js';
import type { RegisterChange } from '../../domain/register-change.js';
import { publicKeyOf, signStatement } from '../../domain/signature.js';
import { admitAs, callerOf } from '../../gateway/admission.js';
import { changeRegister } from '../../gateway/change-register.js';
import type { Parts } from '../../gateway/parts.js';
import { policyInForce } from '../../gateway/policy.js';
import { accountOf } from '../../store/accounts.js';
import { rotateAgent, setAgentState } from '../../store/agents.js';
import { databaseNow } from '../../store/clock.js';
import { addAgent } from '../../store/people.js';
import { Authenticator } from '../helpers/authenticator.js';
import { plantPasskey } from '../helpers/register.js';
import { trialPolicy } from '../helpers/trial-policy.js';
import { rooted } from './ceremony.js';
import { decisionOf, openHouse, opened, perform, refusals, claimOf } from './house.js';
import type { House } from './house.js';
import type { Signer } from './people.js';

const ISS = 'https://login.example.com';

const relyingParty = { rpId: 'localhost', origins: ['http://localhost:4000'] };
const passkey = new Authenticator();

let house: House;
let parts: Parts;
beforeAll(async () => {
  const policy = trialPolicy();
  house = await openHouse({ ...policy, counts: { ...policy.counts, runsPerHour: 90 } });
  parts = { ...house.parts, trust: { rootKeys: [], relyingParty } };
});
afterAll(async () => {
  await house.close();
});

/** A change as this person signs it. */
async function signed(by: Signer, change: RegisterChange, over: Record<string, unknown> = {}) {
  const statement = {
    type: 'countersign.register.v1',
    instance: house.instance,
    change,
    by: by.person,
    keyId: by.keyId,
    at: (await databaseNow(house.db)).toISOString(),
    ...over,
  };
  return { ...statement, signature: signStatement(statement, by.seed) };
}

const changed = async (by: Signer, change: RegisterChange, over: Record<string, unknown> = {}) =>
  changeRegister(parts, await signed(by, change, over));

const link = (sub: string, holder: { person: string } | { agent: string }): RegisterChange => ({
  kind: 'link-account',
  iss: ISS,
  sub,
  holder,
});

describe('an account', () => {
  test('is linked to a person by another administrator, and found by issuer and subject alone', async () => {
    expect(await changed(house.ada, link('ada', { person: 'p_ada' }))).toEqual({
      changed: false,
      reason: 'not-for-oneself',
    });
    expect(await accountOf(house.db, ISS, 'ada')).toBeUndefined();
    expect(await changed(house.bob, link('ada', { person: 'p_ada' }))).toEqual({ changed: true });
    expect(await accountOf(house.db, ISS, 'ada')).toEqual({
      kind: 'person',
      person: 'p_ada',
      active: true,
    });
    expect(await accountOf(house.db, 'https://other.example.com', 'ada')).toBeUndefined();
    expect(await accountOf(house.db, ISS, 'Ada')).toBeUndefined();
  });

  test('of somebody is nobody else’s, ever', async () => {
    await changed(house.bob, link('mine', { person: 'p_ada' }));
    expect(await changed(house.ada, link('mine', { person: 'p_bob' }))).toEqual({
      changed: false,
      reason: 'taken',
    });
    await house.db
      .updateTable('accounts')
      .set({ void_at: new Date(), void_reason: 'left' })
      .where('sub', '=', 'mine')
      .execute();
    expect(await changed(house.ada, link('mine', { person: 'p_bob' }))).toMatchObject({
      reason: 'taken',
    });
    expect(await changed(house.bob, link('mine', { person: 'p_ada' }))).toEqual({ changed: true });
  });

  test('is not found by an e-mail address, verified or not', async () => {
    await changed(house.bob, link('with-mail', { person: 'p_ada' }));
    await house.db
      .updateTable('accounts')
      .set({ email: 'ada@example.com', email_verified: true })
      .where('sub', '=', 'with-mail')
      .execute();
    for (const sub of ['ada@example.com', 'another-subject'])
      expect(await accountOf(house.db, ISS, sub)).toBeUndefined();
  });

  test.each([
    ['for another instance', { instance: '0'.repeat(32) }, 'instance-mismatch'],
    ['of another type', { type: 'countersign.policy.v1' }, 'malformed'],
    ['from last hour', { at: '2026-01-01T00:00:00.000Z' }, 'clock-skew'],
    ['in somebody else’s name', { by: 'p_owner' }, 'key-not-of-approver'],
  ])('is not linked by a statement %s', async (_what, over, reason) => {
    const change = link('bad', { person: 'p_ada' });
    expect(await changed(house.bob, change, over)).toEqual({ changed: false, reason });
    expect(await accountOf(house.db, ISS, 'bad')).toBeUndefined();
  });

  test('is not linked by a statement without a signature', async () => {
    const message = await signed(house.bob, link('bad', { person: 'p_ada' }));
    const members = Object.entries(message).filter(([name]) => name !== 'signature');
    expect(await changeRegister(parts, Object.fromEntries(members))).toEqual({
      changed: false,
      reason: 'unsigned',
    });
    expect(await accountOf(house.db, ISS, 'bad')).toBeUndefined();
  });

  test('of an agent is void at once when it is rotated, and never comes back', async () => {
    await changed(house.owner, link('client-1', { agent: 'launch-agent' }));
    const rotate = { kind: 'rotate-agent', agent: 'launch-agent', iss: ISS } as const;
    expect(await changed(house.owner, { ...rotate, sub: 'client-2' })).toEqual({ changed: true });
    expect(await accountOf(house.db, ISS, 'client-1')).toBeUndefined();
    expect(await accountOf(house.db, ISS, 'client-2')).toMatchObject({ agent: 'launch-agent' });
    expect(
      await house.db
        .transaction()
        .execute((tx) =>
          rotateAgent(tx, { agentId: 'launch-agent', iss: ISS, sub: 'client-1', by: 'p_owner' }),
        ),
    ).toBe('taken');
    const kinds = await house.db.selectFrom('notices').select('kind').execute();
    expect(kinds.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['account-linked', 'account-void', 'agent-rotated']),
    );
  });

  test('of an agent asks for what its lists allow, and a person’s for nothing', async () => {
    await changed(house.owner, link('token', { agent: 'launch-agent' }));
    const { request } = claimOf(house, 'by-token');
    const asked = async () => {
      const holder = await accountOf(house.db, ISS, 'token');
      if (holder === undefined) throw new Error('linked above');
      return admitAs(house.parts, callerOf(holder), { runId: 'by-token', request });
    };
    await expect(asked()).rejects.toMatchObject({ code: 'ADMISSION_REFUSED' });
    expect((await refusals(house)).at(-1)).toBe('admit: environment');
    const allow = { kind: 'allow-agent', agent: 'launch-agent', via: [] as string[] } as const;
    const lists = { principals: ['pr_owner'], environments: ['development' as const] };
    expect(await changed(house.ada, { ...allow, ...lists, principals: ['pr_nobody'] })).toEqual({
      changed: false,
      reason: 'principal-unknown',
    });
    expect(await changed(house.ada, { ...allow, ...lists })).toEqual({ changed: true });
    await asked();
    const { requester } = await house.db
      .selectFrom('runs')
      .select('requester')
      .where('run_id', '=', 'by-token')
      .executeTakeFirstOrThrow();
    expect(requester).toBe('launch-agent');
    expect(() => callerOf({ kind: 'person', person: 'p_ada', active: true })).toThrow(
      'no agent’s token',
    );
  });

  test('of an agent asks as that agent alone, even for one that it may say it acts for', async () => {
    await house.db
      .transaction()
      .execute((tx) => addAgent(tx, { agentId: 'other', owner: 'p_bob' }));
    const lists = { principals: ['pr_owner'], environments: ['development' as const] };
    const allow = {
      kind: 'allow-agent',
      agent: 'launch-agent',
      via: ['other'],
      ...lists,
    } satisfies RegisterChange;
    expect(await changed(house.ada, allow)).toEqual({ changed: true });
    await changed(house.owner, link('token-2', { agent: 'launch-agent' }));
    const holder = await accountOf(house.db, ISS, 'token-2');
    if (holder === undefined) throw new Error('linked above');
    const asked = (runId: string, change: Record<string, unknown>) =>
      admitAs(parts, callerOf(holder), { runId, request: claimOf(house, runId, change).request });
    await expect(asked('as-other', { agent: 'other' })).rejects.toMatchObject({
      message: expect.stringContaining('launch-agent may not ask as other'),
    });
    await asked('for-other', { via: [{ agent: 'other' }] });
    // Whoever answers for an agent does not say what it may ask for.
    const groups = (list: string[]) =>
      house.db.updateTable('persons').set({ groups: list }).where('person_id', '=', 'p_owner');
    await groups([]).execute();
    expect(await changed(house.owner, allow)).toEqual({ changed: false, reason: 'not-in-group' });
    await groups(['approvers']).execute();
    const none = { ...allow, principals: [], environments: [], via: [] };
    expect(await changed(house.ada, none)).toEqual({ changed: true });
    const now = await accountOf(house.db, ISS, 'token-2');
    expect(now).toMatchObject({ principals: [], environments: [], via: [] });
  });

  test('of a service asks for what its keys may, and only where they all may the same', async () => {
    const { seed } = house.owner;
    const lists = { agents: ['launch-agent'], principals: ['pr_owner'] };
    const add = {
      kind: 'add-service',
      service: 's_web',
      publicKey: encodeBase64url(publicKeyOf(seed)),
      environments: ['development'],
      ...lists,
    } satisfies RegisterChange;
    const holder = { service: 's_web' };
    const toWeb = { kind: 'link-account', iss: ISS, sub: 'web', holder } as const;
    expect(await changed(house.ada, toWeb)).toEqual({ changed: false, reason: 'service-unknown' });
    // A person with no say over keys.
    await house.db
      .updateTable('persons')
      .set({ groups: [] })
      .where('person_id', '=', 'p_bob')
      .execute();
    expect(await changed(house.bob, add)).toEqual({ changed: false, reason: 'not-in-group' });
    await house.db
      .updateTable('persons')
      .set({ groups: ['approvers'] })
      .where('person_id', '=', 'p_bob')
      .execute();
    expect(await changed(house.ada, { ...add, publicKey: 'AAAA' })).toMatchObject({
      reason: 'malformed',
    });
    expect(await changed(house.ada, add)).toEqual({ changed: true });
    expect(await changed(house.bob, add)).toEqual({ changed: false, reason: 'taken' });
    expect(await changed(house.ada, toWeb)).toEqual({ changed: true });
    const web = await accountOf(house.db, ISS, 'web');
    if (web === undefined) throw new Error('linked above');
    expect(callerOf(web)).toEqual({ requester: 's_web', ...lists, environments: ['development'] });
    const another = encodeBase64url(publicKeyOf(randomBytes(32)));
    const wider = { ...add, publicKey: another, environments: ['*' as const] };
    expect(await changed(house.ada, wider)).toEqual({ changed: true });
    const both = await accountOf(house.db, ISS, 'web');
    expect(() => both && callerOf(both)).toThrow('may not all the same');
  });
});

test('a passkey signs a change of the register, once and only of the configured site', async () => {
  await plantPasskey(house.db, passkey, { person: 'p_ada' });
  const byPasskey = async (sub: string, counter: number) => {
    const { person } = house.ada;
    const message = await signed(
      { ...house.ada, person, keyId: passkey.keyId },
      link(sub, { person: 'p_bob' }),
    );
    const statement = Object.fromEntries(
      Object.entries(message).filter(([name]) => name !== 'signature'),
    );
    return { ...statement, signature: passkey.sign(statement, { counter }) };
  };
  const first = await byPasskey('bob-1', 7);
  expect(await changeRegister(house.parts, first)).toMatchObject({ reason: 'webauthn-origin' });
  expect(await changeRegister(parts, first)).toEqual({ changed: true });
  expect(await changeRegister(parts, first)).toMatchObject({ reason: 'webauthn-counter' });
  expect(await changeRegister(parts, await byPasskey('bob-2', 7))).toMatchObject({
    reason: 'webauthn-counter',
  });
  expect(await accountOf(house.db, ISS, 'bob-2')).toBeUndefined();
});

test('where roots are pinned, a key that no chain leads to signs nothing', async () => {
  const { parts: pinned, roots } = await rooted(house, {
    ...(await policyInForce(house.db, parts)).policy,
    groups: [{ name: 'approvers', persons: ['p_root_a'] }],
  });
  const change = link('pinned', { person: 'p_bob' });
  const message = await signed(house.ada, change);
  expect(await changeRegister(pinned, message)).toEqual({ changed: false, reason: 'key-unknown' });
  expect(await changeRegister(pinned, await signed(roots[0], change))).toEqual({ changed: true });
});

test('a signed change counts once: a resume said again after a later suspension resumes nothing', async () => {
  const suspend = () =>
    house.db.transaction().execute((tx) =>
      setAgentState(tx, {
        agentId: 'launch-agent',
        state: 'suspended',
        reason: 'x',
        by: 'p_bob',
      }),
    );
  await suspend();
  const resume = await signed(house.owner, { kind: 'resume-agent', agent: 'launch-agent' });
  expect(await changeRegister(parts, resume)).toEqual({ changed: true });
  await suspend();
  expect(await changeRegister(parts, resume)).toEqual({ changed: false, reason: 'used-already' });
  const again = { kind: 'resume-agent', agent: 'launch-agent' } as const;
  expect(await changed(house.bob, again)).toEqual({ changed: true });
});

test('a person delegates for themselves, and nobody reactivates themselves', async () => {
  const change: RegisterChange = {
    kind: 'delegate',
    delegation: 'd_00000000000000aa',
    agent: 'launch-agent',
    steps: ['*'],
    ceilingMinor: 100,
    currency: 'USD',
    until: '2099-01-01T00:00:00.000Z',
  };
  expect(await changed(house.bob, change)).toEqual({ changed: true });
  const row = await house.db.selectFrom('delegations').selectAll().executeTakeFirstOrThrow();
  expect(row.person_id).toBe('p_bob');
  expect(await changed(house.ada, change)).toEqual({ changed: false, reason: 'taken' });
  expect(await changed(house.bob, { kind: 'reactivate-person', person: 'p_bob' })).toEqual({
    changed: false,
    reason: 'not-for-oneself',
  });
});

describe('a run that came through three agents', () => {
  const through = { via: [{ agent: 'outer-agent', build: '7' }, { agent: 'middle-agent' }] };

  test('is admitted only where the service may speak for each of them', async () => {
    await house.db.transaction().execute(async (tx) => {
      await addAgent(tx, { agentId: 'outer-agent', owner: 'p_bob' });
      await addAgent(tx, { agentId: 'middle-agent', owner: 'p_ada' });
    });
    for (const agents of [['launch-agent'], ['launch-agent', 'outer-agent']]) {
      await house.db.updateTable('service_keys').set({ agents }).execute();
      await expect(house.gateway.admit(claimOf(house, 'chain', through))).rejects.toMatchObject({
        code: 'ADMISSION_REFUSED',
      });
      expect((await refusals(house)).at(-1)).toBe('admit: agent');
    }
    const agents = ['launch-agent', 'outer-agent', 'middle-agent'];
    await house.db.updateTable('service_keys').set({ agents }).execute();
    await house.gateway.admit(claimOf(house, 'chain', through));
    expect(
      await house.db
        .selectFrom('run_agents')
        .select(['agent_id', 'owner_person', 'build'])
        .where('run_id', '=', 'chain')
        .orderBy('position')
        .execute(),
    ).toEqual([
      { agent_id: 'outer-agent', owner_person: 'p_bob', build: '7' },
      { agent_id: 'middle-agent', owner_person: 'p_ada', build: null },
      { agent_id: 'launch-agent', owner_person: 'p_owner', build: null },
    ]);
  });

  test('is approved by none who answers for one of them: neither at receipt nor at use', async () => {
    const { runId } = await house.gateway.admit(claimOf(house, 'chain', through));
    await house.gateway.plan(runId);
    const gate = await opened(house, runId, 'plan');
    const decide = async (by: Signer) =>
      house.gateway.recordDecision(runId, await decisionOf(house, gate, by), 'signal');
    for (const by of [house.bob, house.ada, house.owner])
      expect(await decide(by)).toMatchObject({ accepted: false, reason: 'excluded-owner' });
    const { document } = await house.db
      .selectFrom('gates')
      .select('document')
      .executeTakeFirstOrThrow();
    expect(JSON.parse(document)).toMatchObject({ excluded: ['p_ada', 'p_bob', 'p_owner'] });
    // Somebody who answers for none of them approves, and takes one over before it is used.
    await house.db
      .updateTable('agents')
      .set({ owner_person: 'p_owner' })
      .where('agent_id', '=', 'outer-agent')
      .execute();
    expect(await decide(house.bob)).toMatchObject({ accepted: false, reason: 'excluded-owner' });
  });

  test('is not done under the approval of somebody who has come to answer for one of them since', async () => {
    const { runId } = await house.gateway.admit(
      claimOf(house, 'later', { via: [{ agent: 'outer-agent' }] }),
    );
    await house.gateway.plan(runId);
    const gate = await opened(house, runId, 'plan');
    const verdict = await house.gateway.recordDecision(
      runId,
      await decisionOf(house, gate, house.ada),
      'signal',
    );
    expect(verdict).toMatchObject({ accepted: true, gateState: 'granted' });
    await perform(house, runId, 'create-customer');
    await house.db
      .updateTable('agents')
      .set({ owner_person: 'p_ada' })
      .where('agent_id', '=', 'outer-agent')
      .execute();
    await expect(perform(house, runId, 'link-account')).rejects.toMatchObject({
      code: 'GRANT_VOID',
      details: { reason: 'rule-not-met' },
    });
  });
});

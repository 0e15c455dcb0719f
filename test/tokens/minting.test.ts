import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { revokeDue, sweepTokens } from '../../gateway/revoke.js';
import { stop } from '../../gateway/stop.js';
import { openSandbox, performed, persist, takenBack, upTo } from '../gateway/at-sandbox.js';
import type { AtSandbox, Sandboxed } from '../gateway/at-sandbox.js';
import { admitted, approved, sender } from '../gateway/house.js';
import { tables } from '../helpers/dump.js';
import { accountOf, rowsOf, tokensAt, valuesOf } from './ground.js';

let sandbox: Sandboxed;
beforeAll(async () => {
  sandbox = await openSandbox();
});
afterAll(() => sandbox.close());

async function within(world: string, body: (at: AtSandbox) => Promise<void>): Promise<void> {
  const at = await sandbox.open(world);
  try {
    await body(at);
  } finally {
    await at.close();
  }
}

const MINT = {
  provider: 'cloudflare',
  method: 'POST',
  path: '/client/v4/accounts/*/tokens',
} as const;
const RECORDS = { dns: [{ type: 'TXT', name: '@', content: 'hello' }] };

test('each write goes out under a token of its own kind, and the end leaves none', () =>
  within('whole', async (at) => {
    const runId = await admitted(at, 'launch', RECORDS);
    await approved(at, runId, 'plan');
    await upTo(at, runId, 'attach-domain', []);
    const values = await valuesOf(at, runId);
    expect([...values.keys()].sort()).toEqual(['dns', 'registrar', 'workers']);
    const seen = await tokensAt(at);
    expect(seen.map(({ name }) => name).sort()).toEqual([
      `${at.instance}/launch/dns/2`,
      `${at.instance}/launch/registrar/1`,
      `${at.instance}/launch/workers/3`,
    ]);
    for (const { expiresOn, issuedAt, policies } of seen) {
      expect((expiresOn ?? Infinity) - issuedAt).toBeLessThanOrEqual(900_000);
      expect(policies).toHaveLength(1);
      expect(policies[0]!.permission_groups).toHaveLength(1);
      expect(Object.keys(policies[0]!.resources)).toHaveLength(1);
    }
    await persist(at, () => at.gateway.verify(runId));
    expect((await at.gateway.complete(runId)).phase).toBe('completed');
    expect(await tokensAt(at)).toEqual([]);
    const { requests } = await at.control.truth(at.world);
    const writes = requests.filter(
      ({ provider, method, path }) =>
        provider === 'cloudflare' && method !== 'GET' && !path.endsWith('/domain-check'),
    );
    for (const { role, path } of writes)
      expect(role).toMatch(
        path.includes('/tokens')
          ? /^mint-actions$/
          : path.endsWith('/accounts')
            ? /^accounts$/
            : /^(token|upload)-/,
      );
    const parents = requests.filter(({ role }) => role.startsWith('mint-'));
    expect(parents.every(({ path }) => path.includes('/tokens'))).toBe(true);
    const dumped = [...(await tables(at.db)).values()].join('\n');
    for (const { value } of values.values()) {
      expect(dumped).not.toContain(value);
      expect(dumped).not.toContain(Buffer.from(value).toString('hex'));
    }
    const { operations } = await at.db
      .selectFrom('runs')
      .select('operations')
      .executeTakeFirstOrThrow();
    // Seven effects, three mints, three revocations.
    expect(operations).toBe(13);
  }));

test('a mint whose answer is lost: its token is found by name and deleted, and a new one made', () =>
  within('lost', async (at) => {
    const runId = await admitted(at);
    await at.control.faults(at.world, [{ ...MINT, fault: 'act-then-drop' }]);
    await approved(at, runId, 'plan');
    await upTo(at, runId, 'register-domain');
    const rows = await rowsOf(at, runId);
    expect(rows.map(({ name, state }) => [name.split('/').at(-1), state])).toEqual([
      ['1', 'revoked'],
      ['2', 'live'],
    ]);
    expect((await tokensAt(at)).map(({ name }) => name)).toEqual([rows[1]!.name]);
  }));

test('a run that outlives its token has a new one before the old one dies, which is revoked', () =>
  within('outlived', async (at) => {
    const runId = await admitted(at);
    await approved(at, runId, 'plan');
    await upTo(at, runId, 'deploy-site');
    const [before] = (await tokensAt(at)).filter(({ name }) => name.includes('/workers/'));
    await at.wait(14 * 60_000 + 55_000);
    await performed(at, runId, 'attach-domain');
    const after = (await tokensAt(at)).filter(({ name }) => name.includes('/workers/'));
    expect(after).toHaveLength(1);
    expect(after[0]!.id).not.toBe(before!.id);
    expect(after[0]!.issuedAt).toBeLessThan(before!.expiresOn!);
    const rows = await rowsOf(at, runId);
    expect(rows.find(({ provider_token }) => provider_token === before!.id)).toMatchObject({
      state: 'revoked',
      due_why: 'rotated',
    });
  }));

test('a stop revokes at once, and what is taken back has tokens of its own that it leaves alone', () =>
  within('stopped', async (at) => {
    const runId = await admitted(at);
    await approved(at, runId, 'plan');
    await upTo(at, runId, 'deploy-site');
    expect((await tokensAt(at)).length).toBeGreaterThan(0);
    await at.gateway.stopRun(runId, 'p_ada', 'enough', 'unwind');
    expect(await tokensAt(at)).toEqual([]);
    await expect(performed(at, runId, 'attach-domain')).rejects.toMatchObject({ code: 'FENCED' });
    expect(await tokensAt(at)).toEqual([]);
    const { steps } = await at.gateway.closeDoor(runId, { kind: 'stopped' });
    for (const step of steps) await takenBack(at, runId, step);
    const rows = await rowsOf(at, runId);
    expect(new Set(rows.map((row) => row.class))).toEqual(new Set(['actions', 'compensations']));
    const live = rows.filter(({ state }) => state === 'live').map(({ name }) => name);
    expect(live).not.toEqual([]);
    // Another stop, over everything, comes while reversals are under way.
    await stop(at.parts, { scope: 'all', reason: 'more', by: 'p_ada', proven: true });
    const after = (await rowsOf(at, runId)).filter(({ state }) => state === 'live');
    expect(after.map(({ name }) => name)).toEqual(live);
    expect((await at.gateway.finish(runId, 'stopped')).phase).toBe('reversed');
    expect(await tokensAt(at)).toEqual([]);
    const { requests } = await at.control.truth(at.world);
    expect(requests.some(({ role }) => role === 'mint-compensations')).toBe(true);
  }));

test('a step that fails for good leaves no token waiting for a person', () =>
  within('refused', async (at) => {
    const runId = await admitted(at);
    await approved(at, runId, 'plan');
    await upTo(at, runId, 'register-domain');
    await at.control.faults(at.world, [
      {
        provider: 'cloudflare',
        method: 'PUT',
        path: '/client/v4/accounts/*/workers/scripts/*',
        fault: 'refuse',
      },
    ]);
    await expect(performed(at, runId, 'deploy-site')).rejects.toMatchObject({
      code: 'PROVIDER_REFUSED',
    });
    expect(await tokensAt(at)).toEqual([]);
  }));

test('a token that somebody has deleted is used no more: the next attempt has a new one', () =>
  within('deleted', async (at) => {
    const runId = await admitted(at);
    await approved(at, runId, 'plan');
    await upTo(at, runId, 'deploy-site');
    const account = await accountOf(at, runId);
    for (const { id } of await tokensAt(at))
      await at.byHand('DELETE', `/client/v4/accounts/${account}/tokens/${id}`);
    await expect(at.gateway.perform(runId, 'attach-domain', sender())).rejects.toMatchObject({
      code: 'PROVIDER_UNAVAILABLE',
    });
    await performed(at, runId, 'attach-domain');
  }));

test('a new token is asked for until the provider knows it', () =>
  within('spreading', async (at) => {
    await at.control.people(at.world, { do: 'set-choice', name: 'tokens.spread-ms', value: 700 });
    const runId = await admitted(at);
    await approved(at, runId, 'plan');
    await upTo(at, runId, 'register-domain');
    const { requests } = await at.control.truth(at.world);
    const asked = requests.filter(({ path }) => path.endsWith('/tokens/verify'));
    expect(asked.length).toBeGreaterThan(1);
    expect(asked.at(-1)!.status).toBe(200);
  }));

test('a leftover that bears our name is deleted by the sweep; others and live ones stay', () =>
  within('leftover', async (at) => {
    const runId = await admitted(at);
    await approved(at, runId, 'plan');
    await upTo(at, runId, 'register-domain');
    const account = await accountOf(at, runId);
    const { policies } = (await tokensAt(at))[0]!;
    const tokens = `/client/v4/accounts/${account}/tokens`;
    for (const name of [`${at.instance}/gone/dns/1`, 'somebody-else', `${'0'.repeat(32)}/x/dns/1`])
      await at.byHand('POST', tokens, { name, policies });
    expect(await sweepTokens(at.parts)).toEqual([`${at.instance}/gone/dns/1`]);
    expect((await tokensAt(at)).map(({ name }) => name).sort()).toEqual(
      [`${'0'.repeat(32)}/x/dns/1`, `${at.instance}/launch/registrar/1`, 'somebody-else'].sort(),
    );
    expect(await sweepTokens(at.parts)).toEqual([]);
  }));

test('what cannot be revoked now stays due, and goes later', () =>
  within('later', async (at) => {
    const runId = await admitted(at);
    await approved(at, runId, 'plan');
    await upTo(at, runId, 'register-domain');
    await at.control.faults(at.world, [
      {
        provider: 'cloudflare',
        method: 'DELETE',
        path: '/client/v4/accounts/*/tokens/*',
        fault: 'act-then-500',
        times: 1,
      },
    ]);
    await at.gateway.stopRun(runId, 'p_ada', 'enough', 'hold');
    expect((await rowsOf(at, runId)).map(({ state }) => state)).toEqual(['due']);
    expect(await revokeDue(at.parts)).toBe(0);
    expect((await rowsOf(at, runId)).map(({ state }) => state)).toEqual(['revoked']);
  }));

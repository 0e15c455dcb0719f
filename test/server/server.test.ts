import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import type { JsonWebKey } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { decodeJwt, SignJWT } from 'jose';
import Stripe from 'stripe';
import { sql } from 'kysely';
import { addAnomaly } from '../../store/anomalies.js';
import { databaseNow } from '../../store/clock.js';
import { noteCredentials } from '../../store/credential-states.js';
import { recordRefusal } from '../../store/refusals.js';
import { openCaseOnce } from '../../store/run-rows.js';
import { noteSweep } from '../../store/sweep-rows.js';
import { admitAs, admit } from '../../gateway/admission.js';
import { ROUTES } from '../../server/routes.js';
import { canonicalRequest } from '../../domain/request.js';
import { decisionOf, opened, refusals, requestOf } from '../gateway/house.js';
import { signIn } from '../helpers/sign-in.js';
import { AUDIENCE, openGround, WEBHOOK_SECRET } from './ground.js';
import type { Ground } from './ground.js';

let ground: Ground;
let agent: string;
let other: string;
let ada: string;
beforeAll(async () => {
  ground = await openGround();
  agent = await ground.agentToken('launch-agent');
  other = await ground.agentToken('other-agent');
  ada = await ground.personToken('ada');
});
afterAll(() => ground.close());

const start = (runId: string, token: string, change: Record<string, unknown> = {}) =>
  ground.ask('POST', '/api/v1/runs', {
    token,
    body: { runId, request: requestOf(ground.house, change) },
  });
const rowOf = (runId: string) =>
  ground.house.db.selectFrom('runs').selectAll().where('run_id', '=', runId).executeTakeFirst();

test('every route says who may call it, how much it reads, and what else refuses', () => {
  const rows = ROUTES.map(
    ({ bodyBytesMax, guard, method, path, who }) =>
      `${method} ${path} | ${who?.join(', ') ?? 'anybody'} | ${bodyBytesMax} | ${guard}`,
  );
  expect(rows.join('\n')).toMatchSnapshot();
  expect(new Set(ROUTES.map(({ method, path }) => `${method} ${path}`)).size).toBe(ROUTES.length);
  for (const { method, path, who } of ROUTES)
    if (who === undefined) expect(`${method} ${path}`).toMatch(/well-known|openapi|webhooks/);
});

test('an agent’s token admits its run, and the row stands before the workflow', async () => {
  const answer = await start('by-token', agent);
  expect([answer.status, answer.json['runId']]).toEqual([201, 'by-token']);
  expect(await rowOf('by-token')).toMatchObject({
    requester: 'launch-agent',
    agent: 'launch-agent',
    owner_person: 'p_owner',
    principal: 'pr_owner',
  });
  expect(ground.started).toContain('by-token');
  expect(answer.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
});

async function forged(header: Record<string, string>, key: Parameters<SignJWT['sign']>[0]) {
  const claims = decodeJwt(agent);
  return new SignJWT(claims).setProtectedHeader({ alg: 'ES256', ...header }).sign(key);
}

test.each([
  ['alg none', 'none'],
  ['HS256 with the issuer’s public key', 'hs256'],
  ['another key', 'other-key'],
  ['another audience', 'audience'],
  ['an ID token', 'id-token'],
  ['another issuer', 'issuer'],
  ['an expired one', 'expired'],
  ['no token at all', 'rubbish'],
])('a token is refused, and told no reason: %s', async (_title, kind) => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwks = (await (await fetch(`${ground.issuer.url}/jwks`)).json()) as {
    keys: JsonWebKey[];
  };
  const published = createPublicKey({ key: jwks.keys[0]!, format: 'jwk' });
  const base = (text: string): string => Buffer.from(text).toString('base64url');
  const person = ground.order('issuer-person', { sub: 'ada' }) as { password: string };
  const tokens: Record<string, () => string | Promise<string>> = {
    none: () =>
      `${base('{"alg":"none","typ":"at+jwt"}')}.${base(JSON.stringify(decodeJwt(agent)))}.`,
    hs256: () =>
      forged(
        { alg: 'HS256', typ: 'at+jwt' },
        Buffer.from(published.export({ format: 'pem', type: 'spki' })),
      ),
    'other-key': () => forged({ typ: 'at+jwt' }, privateKey),
    audience: () => ground.agentToken('launch-agent', 'https://other.example'),
    'id-token': async () =>
      (await signIn({ issuer: ground.issuer.url, name: 'ada', password: person.password }))
        .id_token,
    issuer: () =>
      new SignJWT({ ...decodeJwt(agent), iss: 'https://issuer.example' })
        .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt' })
        .sign(privateKey),
    expired: () => agent.replace(/\.[^.]+\./, `.${base('{"exp":1}')}.`),
    rubbish: () => 'a.b.c',
  };
  const answer = await ground.ask('GET', '/api/v1/me', { token: await tokens[kind]!() });
  expect([answer.status, answer.json['code']]).toEqual([401, 'token-invalid']);
  expect(JSON.stringify(answer.json)).not.toMatch(/stack|jose|JWS|JWT/);
});

test.each([
  ['is for another audience', () => ({ aud: 'https://other.example' }), {}],
  ['is for nobody', () => ({ aud: undefined }), {}],
  ['is of another type', () => ({}), { typ: 'JWT' }],
  ['has expired', (now: number) => ({ iat: now - 900, exp: now - 300 }), {}],
  ['never expires', () => ({ exp: undefined }), {}],
  ['would live for a day', (now: number) => ({ exp: now + 86_400 }), {}],
  ['is of another issuer', () => ({ iss: 'https://issuer.example' }), {}],
  ['is of the same issuer, written otherwise', () => ({ iss: `${ground.issuer.url}/` }), {}],
])(
  'a token that the issuer itself signed is refused when it %s',
  async (_title, change, header) => {
    const now = Math.floor(Date.now() / 1_000);
    const good = await ground.forge(decodeJwt(agent));
    expect((await ground.ask('GET', '/api/v1/me', { token: good })).status).toBe(200);
    const token = await ground.forge({ ...decodeJwt(agent), ...change(now) }, header);
    const answer = await ground.ask('GET', '/api/v1/me', { token });
    expect([answer.status, answer.json['code']]).toEqual([401, 'token-invalid']);
  },
);

test('a key that the issuer signs with anew is found, one that it dropped is refused', async () => {
  ground.order('issuer-rotate-keys');
  const fresh = await ground.agentToken('launch-agent');
  expect((await ground.ask('GET', '/api/v1/me', { token: fresh })).status).toBe(200);
  ground.order('issuer-rotate-keys', { drop: true });
  const newest = await ground.agentToken('launch-agent');
  expect((await ground.ask('GET', '/api/v1/me', { token: newest })).status).toBe(200);
  expect((await ground.ask('GET', '/api/v1/me', { token: agent })).status).toBe(401);
  [agent, other, ada] = [
    newest,
    await ground.agentToken('other-agent'),
    await ground.personToken('ada'),
  ];
});

test('an account that nobody holds, and an agent that is suspended, are refused', async () => {
  const stranger = await ground.agentToken('stranger');
  const unknown = await ground.ask('GET', '/api/v1/me', { token: stranger });
  expect([unknown.status, unknown.json['code']]).toEqual([403, 'account-unknown']);
  const agents = ground.house.db.updateTable('agents').where('agent_id', '=', 'other-agent');
  await agents.set({ state: 'suspended' }).execute();
  const off = await ground.ask('GET', '/api/v1/me', { token: other });
  expect([off.status, off.json['code']]).toEqual([403, 'account-off']);
  await agents.set({ state: 'active' }).execute();
});

test.each([
  ['names another agent in the body', 'agent', 'agent-foreign', 403],
  ['takes a run id that another has', 'id', 'run-id-taken', 409],
  ['asks for a bundle that nobody stored', 'bundle', 'bundle-unknown', 409],
  ['asks where it may not', 'environment', 'admission-refused', 403],
])('a caller who %s is refused, and nothing is admitted', async (_title, what, code, status) => {
  if (what === 'id') await start('squatted', agent);
  const runId = what === 'id' ? 'squatted' : `bad-${what}`;
  const token = what === 'id' ? other : agent;
  const changes: Record<string, Record<string, unknown>> = {
    agent: { agent: 'other-agent' },
    id: { agent: 'other-agent' },
    bundle: { bundle: `sha256:${'0'.repeat(64)}` },
    environment: { environment: 'staging' },
  };
  const answer = await start(runId, token, changes[what]);
  expect([answer.status, answer.json['code']]).toEqual([status, code]);
  expect((await rowOf(runId))?.requester).toBe(what === 'id' ? 'launch-agent' : undefined);
});

test('an unsigned claim through Temporal finds a run on record, and makes none', async () => {
  const request = canonicalRequest(requestOf(ground.house));
  const unsigned = { runId: 'never-admitted', request };
  await expect(admit(ground.house.parts, unsigned)).rejects.toMatchObject({
    code: 'ADMISSION_REFUSED',
  });
  expect((await refusals(ground.house)).at(-1)).toBe('admit: unsigned');
  expect(await rowOf('never-admitted')).toBeUndefined();
  await start('on-record', agent);
  const found = await admit(ground.house.parts, { runId: 'on-record', request });
  expect(found.agent).toBe('launch-agent');
  const changed = canonicalRequest(requestOf(ground.house, { budget: '59.00 USD' }));
  await expect(
    admit(ground.house.parts, { runId: 'on-record', request: changed }),
  ).rejects.toMatchObject({ code: 'ADMISSION_REFUSED' });
});

test('another agent’s run looks like none, in every road to it', async () => {
  await start('mine', agent);
  for (const [method, path] of [
    ['GET', '/api/v1/runs/mine'],
    ['GET', '/api/v1/runs/mine/gate'],
    ['GET', '/api/v1/runs/nobodys'],
    ['POST', '/api/v1/runs/mine/stop'],
  ] as const) {
    const body = method === 'POST' ? { body: { reason: 'no' } } : {};
    const answer = await ground.ask(method, path, { token: other, ...body });
    expect([answer.status, answer.json['code']]).toEqual([404, 'run-unknown']);
  }
  expect((await ground.ask('GET', '/api/v1/runs', { token: other })).json['runs']).toEqual([]);
  expect((await ground.ask('GET', '/api/v1/runs/mine', { token: ada })).status).toBe(200);
});

test('a key answers once: the same again replays, another body is refused', async () => {
  const body = { runId: 'keyed', request: requestOf(ground.house) };
  const first = await ground.ask('POST', '/api/v1/runs', { token: agent, key: 'k1', body });
  const again = await ground.ask('POST', '/api/v1/runs', { token: agent, key: 'k1', body });
  expect(again.json).toEqual(first.json);
  expect(again.headers.get('idempotent-replayed')).toBe('true');
  expect(ground.started.filter((run) => run === 'keyed')).toHaveLength(1);
  const changed = { ...body, runId: 'keyed-2' };
  const reused = await ground.ask('POST', '/api/v1/runs', {
    ...{ token: agent, key: 'k1', body: changed },
  });
  expect([reused.status, reused.json['code']]).toEqual([422, 'idempotency-key-reused']);
  // The same key of somebody else is another key.
  const theirs = await ground.ask('POST', '/api/v1/runs', {
    ...{ token: other, key: 'k1', body: changed },
  });
  expect(theirs.json['code']).toBe('agent-foreign');
  const none = await ground.ask('POST', '/api/v1/runs', { token: agent, key: '', body });
  expect(none.json['code']).toBe('idempotency-key-missing');
});

test('a foreign Host, Origin or site gets nothing, token or not', async () => {
  const foreign = await new Promise<number | undefined>((resolve) => {
    const { port } = new URL(ground.server.url);
    httpRequest({ port, path: '/api/v1/openapi.json', headers: { host: 'evil.example' } })
      .on('response', (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      })
      .end();
  });
  expect(foreign).toBe(421);
  for (const headers of [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site' },
  ] as Record<string, string>[]) {
    const answer = await ground.ask('GET', '/api/v1/me', { token: agent, headers });
    expect([answer.status, answer.json['code']]).toEqual([403, 'origin-foreign']);
  }
});

test('ten megabytes are refused unparsed, deep nesting and plain text too', async () => {
  const big = { token: agent, body: 'x'.repeat(10 * 1024 * 1024) };
  const headers = { 'content-type': 'application/json' };
  expect((await ground.ask('POST', '/api/v1/runs', { ...big, headers })).status).toBe(413);
  const deep = { token: agent, headers, body: '['.repeat(30_000) };
  expect((await ground.ask('POST', '/api/v1/runs', deep)).json['code']).toBe('body-malformed');
  const plain = { token: agent, body: '{}', headers: { 'content-type': 'text/plain' } };
  expect((await ground.ask('POST', '/api/v1/runs', plain)).status).toBe(415);
});

async function waiting(runId: string) {
  await admitAs(
    ground.house.parts,
    {
      ...{ requester: 'launch-agent', agents: ['launch-agent'] },
      ...{ principals: ['pr_owner'], environments: ['development'] },
    },
    { runId, request: canonicalRequest(requestOf(ground.house)) },
  );
  await ground.house.gateway.plan(runId as never);
  return opened(ground.house, runId as never, 'plan');
}

test('a person’s signed decision is on record before the run is told; an agent decides nothing', async () => {
  const gate = await waiting('decided');
  const shown = await ground.ask('GET', '/api/v1/runs/decided/gate', { token: ada });
  expect(shown.json['gateId']).toBe(gate.gateId);
  const message = await decisionOf(ground.house, gate, ground.house.ada);
  const path = '/api/v1/runs/decided/decisions';
  const byAgent = await ground.ask('POST', path, { token: agent, body: message });
  expect([byAgent.status, byAgent.json['code']]).toEqual([403, 'not-for-you']);
  const bob = await ground.personToken('bob');
  const byBob = await ground.ask('POST', path, { token: bob, body: message });
  expect([byBob.status, byBob.json['code']]).toEqual([403, 'approver-foreign']);
  const unsigned = Object.entries(message).filter(([name]) => name !== 'signature');
  const bare = await ground.ask('POST', path, { token: ada, body: Object.fromEntries(unsigned) });
  expect([bare.status, bare.json['code']]).toEqual([400, 'body-malformed']);
  const answer = await ground.ask('POST', path, { token: ada, body: message });
  expect(answer.json).toMatchObject({ gateState: 'granted', approver: 'p_ada' });
  expect(ground.told).toContainEqual({ run: 'decided', what: 'decide' });
});

test('a signed-in person of the rule rejects without a key, and the session is on record', async () => {
  const gate = await waiting('refused');
  const path = '/api/v1/runs/refused/decisions';
  const body = {
    ...{ gateId: gate.gateId, actionDigest: gate.digest },
    ...{ decision: 'reject', reason: 'not now' },
  };
  const owner = await ground.personToken('owner');
  const byOwner = await ground.ask('POST', path, { token: owner, body });
  expect([byOwner.status, byOwner.json['code']]).toEqual([409, 'excluded-owner']);
  const approve = { ...body, decision: 'approve' };
  expect((await ground.ask('POST', path, { token: ada, body: approve })).status).toBe(400);
  const answer = await ground.ask('POST', path, { token: ada, body });
  expect(answer.json).toMatchObject({ gateState: 'rejected', approver: 'p_ada' });
  const row = await ground.house.db
    .selectFrom('decisions')
    .innerJoin('sessions', 'sessions.session_id', 'decisions.session_id')
    .select(['decisions.signature', 'sessions.person_id', 'sessions.issuer'])
    .where('run_id', '=', 'refused')
    .executeTakeFirstOrThrow();
  expect(row).toEqual({ signature: null, person_id: 'p_ada', issuer: ground.issuer.url });
});

const eventOf = (id: string, change: Record<string, unknown> = {}): string =>
  JSON.stringify({
    ...{ id, object: 'event', type: 'charge.dispute.created', livemode: false },
    ...{ data: { object: { id: 'dp_1', amount: 999 } }, ...change },
  });
const deliver = (payload: string, of: { secret?: string; ageS?: number; header?: string } = {}) => {
  const timestamp = Math.floor(Date.now() / 1_000) - (of.ageS ?? 0);
  const signature = Stripe.webhooks.generateTestHeaderString({
    ...{ payload, secret: of.secret ?? WEBHOOK_SECRET, timestamp },
  });
  const headers = { 'stripe-signature': of.header ?? signature };
  return ground.ask('POST', '/webhooks/stripe', { body: payload, headers });
};

test('an event is put on record once, in whatever order, and nothing of it is believed', async () => {
  expect((await deliver(eventOf('evt_2'))).json).toEqual({ received: true, known: false });
  expect((await deliver(eventOf('evt_1'))).status).toBe(200);
  expect((await deliver(eventOf('evt_2'))).json).toEqual({ received: true, known: true });
  const rows = await ground.house.db.selectFrom('webhook_events').selectAll().execute();
  expect(rows.map(({ event_id }) => event_id).sort()).toEqual(['evt_1', 'evt_2']);
  expect(JSON.stringify(rows)).not.toContain('999');
});

test.each([
  ['a bad signature', () => deliver(eventOf('evt_9'), { secret: 'whsec_other' }), 400],
  ['no signature', () => deliver(eventOf('evt_9'), { header: '' }), 400],
  ['an empty one', () => deliver(eventOf('evt_9'), { header: 't=1795251960,v1=' }), 400],
  ['a signature of six minutes ago', () => deliver(eventOf('evt_9'), { ageS: 360 }), 400],
  ['an event of real money', () => deliver(eventOf('evt_9', { livemode: true })), 400],
  ['another account', () => deliver(eventOf('evt_9', { account: 'acct_other' })), 400],
  ['no event', () => deliver('{"id":"evt_9"}'), 400],
  ['ten megabytes', () => deliver(`"${'x'.repeat(10 * 1024 * 1024)}"`), 413],
])('a webhook is refused and leaves nothing: %s', async (_title, send, status) => {
  const answer = await send();
  expect(answer.status).toBe(status);
  expect(answer.json['code']).toBeTruthy();
  const { rows } = {
    rows: await ground.house.db.selectFrom('webhook_events').selectAll().execute(),
  };
  expect(rows.map(({ event_id }) => event_id)).not.toContain('evt_9');
});

test('an agent stops its own run and itself, and nobody else', async () => {
  await start('to-stop', agent);
  const own = await ground.ask('POST', '/api/v1/runs/to-stop/stop', {
    ...{ token: agent, body: { reason: 'lost my way' } },
  });
  expect(own.status).toBe(200);
  expect(ground.told).toContainEqual({ run: 'to-stop', what: 'stop' });
  for (const scope of ['all', 'agent/launch-agent', 'principal/pr_owner', 'provider/stripe']) {
    const body = { scope, reason: 'no' };
    const answer = await ground.ask('POST', '/api/v1/stops', { token: other, body });
    expect([answer.status, answer.json['code']]).toEqual([403, 'scope-foreign']);
  }
  const self = { scope: 'agent/other-agent', reason: 'I am lost' };
  expect((await ground.ask('POST', '/api/v1/stops', { token: other, body: self })).status).toBe(
    200,
  );
  const stops = await ground.house.db.selectFrom('stops').select(['scope', 'proven']).execute();
  expect(stops).toEqual([
    { scope: 'run/to-stop', proven: true },
    { scope: 'agent/other-agent', proven: true },
  ]);
});

test('a bundle is stored once under the digest of its bytes; a credential in it is refused', async () => {
  const files = (page: string) => ({
    files: [
      { path: 'worker.mjs', content: Buffer.from('export default {}').toString('base64') },
      { path: 'public/index.html', content: Buffer.from(page).toString('base64') },
    ],
  });
  const send = (body: object) => ground.ask('POST', '/api/v1/bundles', { token: agent, body });
  const answer = await send(files('hello'));
  expect([answer.status, answer.json['bundle']]).toEqual([200, ground.house.bundle]);
  expect((await send(files('another'))).status).toBe(201);
  const secret = await send(files('-----BEGIN PRIVATE KEY-----'));
  expect([secret.status, secret.json['code']]).toEqual([422, 'bundle-refused']);
  const outside = await send({ files: [{ path: '../x', content: 'aGk=' }] });
  expect([outside.status, outside.json['code']]).toEqual([422, 'bundle-damaged']);
});

const health = async (path: string) => {
  const answer = await fetch(`${ground.server.healthUrl}${path}`);
  return { status: answer.status, text: await answer.text() };
};

test('metrics count runs, gates, cases, anomalies, notices and refusals, and name nobody', async () => {
  const { db } = ground.house;
  await start('counted', agent);
  await waiting('counted-gate');
  await openCaseOnce(db, { runId: 'counted', kind: 'double', text: 'two of them' });
  const sight = { runId: 'counted', kind: 'odd-one', text: 'many', dedupe: 'odd-one:counted' };
  await db.transaction().execute((tx) => addAnomaly(tx, { ...sight, consequence: 'note' }));
  await recordRefusal(db, { asked: 'test', reason: 'odd "word"\n', detail: 'ada@example.com' });
  const { status, text } = await health('/metrics');
  expect(status).toBe(200);
  const value = (line: string): number =>
    Number(
      text
        .split('\n')
        .find((one) => one.startsWith(`${line} `))
        ?.slice(line.length + 1),
    );
  const runs = await db
    .selectFrom('runs')
    .select('run_id')
    .where('end_phase', 'is', null)
    .execute();
  expect(value('countersign_runs{state="open"}')).toBeLessThanOrEqual(runs.length);
  expect(value('countersign_runs{state="open"}')).toBeGreaterThan(1);
  expect(value('countersign_open_gates')).toBeGreaterThan(0);
  expect(value('countersign_open_cases{kind="double"}')).toBe(1);
  expect(value('countersign_anomalies_total{kind="odd-one",consequence="note"}')).toBe(1);
  expect(value('countersign_notices{state="waiting"}')).toBeGreaterThan(0);
  expect(value('countersign_refusals_total{reason="unsigned"}')).toBe(2);
  expect(value('countersign_refusals_total{reason="odd \\"word\\"\\n"}')).toBe(1);
  expect(text).not.toMatch(/p_ada|pr_owner|counted|example/);
});

test('it is not ready when no sweep ran for two periods, a rotation failed, or notices were given up', async () => {
  const { db } = ground.house;
  const state = async (): Promise<string> => {
    const { status, text } = await health('/readyz');
    return `${status} ${(JSON.parse(text) as { problems: string[] }).problems.join()}`;
  };
  await noteSweep(db);
  expect(await state()).toBe('200 ');
  await sql`update instance set swept_at = clock_timestamp() - interval '121 seconds'`.execute(db);
  expect(await state()).toMatch(/^503 no sweep/);
  await noteSweep(db);
  const of = { name: 'stripe actions', fingerprint: '0'.repeat(12), since: new Date() };
  await noteCredentials(db, 'worker 1', [{ ...of, problem: 'it was refused' }]);
  expect(await state()).toMatch(/^503 worker 1: a newer value of stripe actions is not used/);
  await noteCredentials(db, 'worker 1', [{ ...of, problem: undefined }]);
  expect(await state()).toBe('200 ');
  await openCaseOnce(db, { kind: 'notice-failed', text: 'nobody took it' });
  expect(await state()).toMatch(/^503 1 notices were given up/);
});

test('health answers on a port of its own, and no token is ever logged', async () => {
  expect((await health('/healthz')).status).toBe(200);
  expect((await fetch(`${ground.server.healthUrl}/api/v1/me`)).status).toBe(404);
  expect((await ground.ask('GET', '/healthz')).status).toBe(404);
  const metadata = await ground.ask('GET', '/.well-known/oauth-protected-resource');
  expect(metadata.json).toMatchObject({
    ...{ resource: AUDIENCE, authorization_servers: [ground.issuer.url] },
  });
  expect(ground.logged.join('')).not.toContain(agent.slice(0, 40));
  expect((await databaseNow(ground.house.db)).getTime()).toBeGreaterThan(0);
});

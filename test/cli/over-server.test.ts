import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { newKeyFile } from '../../client/keys.js';
import { loginsFile } from '../../config/logins.js';
import type { RunId } from '../../domain/ids.js';
import { admitted, opened } from '../gateway/house.js';
import { browse } from '../helpers/sign-in.js';
import { openGround } from '../server/ground.js';
import type { Ground } from '../server/ground.js';
import { callCli } from './run-in-process.js';
import type { Call, Outcome } from './run-in-process.js';

/** The command line at a real server, with a real issuer; nothing of a stack is within its reach. */
let ground: Ground;
let folder: string;
const PASSPHRASE = 'correct horse battery staple';

beforeAll(async () => {
  ground = await openGround();
  folder = mkdtempSync(path.join(tmpdir(), 'countersign-over-'));
  const key = await newKeyFile(path.join(folder, 'ada.json'), PASSPHRASE);
  await ground.house.db
    .insertInto('keys')
    .values({
      ...{ key_id: key.keyId, person_id: 'p_ada', public_key: key.publicKey },
      ...{ enrolled_at: new Date(0), active_from: new Date(0) },
      ...{ revoked_at: null, revoked_as: null, compromised_since: null },
    })
    .execute();
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await ground.close();
});

const call = (args: readonly string[], of: Call & { data?: string } = {}): Promise<Outcome> =>
  callCli(args, {
    cwd: folder,
    ...of,
    variables: {
      HOME: folder,
      COUNTERSIGN_SERVER: ground.server.url,
      COUNTERSIGN_DATA: path.join(folder, of.data ?? 'data'),
      ...of.variables,
    },
  });

/** Signs in as a person does: `login` prints where, and somebody goes there with a browser. */
function login(sub: string, data = 'data', args: readonly string[] = []): Promise<Outcome> {
  const { password } = ground.order('issuer-person', { sub }) as { password: string };
  const back = 'http://127.0.0.1';
  return call(['login', ...args], {
    data,
    hear: (line) => {
      if (!line.startsWith(ground.issuer.url)) return;
      const seen = new URL(line.trim()).searchParams.get('redirect_uri') ?? back;
      void browse(line.trim(), { name: sub, password, back: seen }).then((url) => fetch(url));
    },
  });
}

const kept = (data = 'data'): Record<string, unknown> =>
  (
    JSON.parse(readFileSync(loginsFile(path.join(folder, data)), 'utf8')) as {
      servers: Record<string, Record<string, unknown>>;
    }
  ).servers[ground.server.url] ?? {};
function change(members: Record<string, unknown>, data = 'data'): void {
  const servers = { [ground.server.url]: { ...kept(data), ...members } };
  writeFileSync(loginsFile(path.join(folder, data)), JSON.stringify({ format: 1, servers }));
}

/** A secret file of an agent that the issuer knows. */
function secretOf(clientId: string): string {
  const { secret } = ground.order('issuer-client', { clientId }) as { secret: string };
  const file = path.join(folder, `${clientId}.secret`);
  writeFileSync(file, `${secret}\n`, { mode: 0o600 });
  return file;
}

test('a person signs in by the browser; the tokens lie where only they read them', async () => {
  const none = await call(['whoami']);
  expect([none.exitCode, none.err]).toEqual([2, expect.stringMatching(/countersign login/)]);
  const outcome = await login('ada');
  expect(outcome).toMatchObject({ exitCode: 0, out: expect.stringContaining('person p_ada') });
  const file = loginsFile(path.join(folder, 'data'));
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const { accessToken, refreshToken } = kept();
  expect(outcome.out + outcome.err).not.toContain(String(accessToken));
  expect(outcome.out + outcome.err).not.toContain(String(refreshToken));
  const who = await call(['whoami', '--json']);
  expect(JSON.parse(who.out)).toMatchObject({ kind: 'person', id: 'p_ada' });
  chmodSync(file, 0o644);
  const open = await call(['whoami']);
  expect([open.exitCode, open.err]).toEqual([2, expect.stringMatching(/open to other users/)]);
  chmodSync(file, 0o600);
});

test('a token that has run out is renewed; a sign-in that is over says so', async () => {
  const before = kept();
  change({ expiresAtMs: Date.now() - 1 });
  expect((await call(['whoami'])).exitCode).toBe(0);
  expect(kept()['accessToken']).not.toBe(before['accessToken']);
  expect(kept()['refreshToken']).not.toBe(before['refreshToken']);
  // A refresh token that was used once is nobody's any more.
  change({ expiresAtMs: 0, refreshToken: before['refreshToken'] });
  const over = await call(['whoami']);
  expect([over.exitCode, over.err]).toEqual([
    2,
    expect.stringMatching(/^countersign: the sign-in is over\. .*countersign login\.\n$/),
  ]);
  expect((await login('ada')).exitCode).toBe(0);
  change({ accessToken: 'a.b.c' });
  const bad = await call(['runs']);
  expect([bad.exitCode, bad.err]).toEqual([2, expect.stringMatching(/Sign in again/)]);
  expect((await login('ada')).exitCode).toBe(0);
});

test('signing out ends the sign-in here and at the issuer', async () => {
  await login('bob', 'bobs');
  const before = kept('bobs');
  expect(await call(['logout'], { data: 'bobs' })).toMatchObject({ exitCode: 0 });
  expect(kept('bobs')).toEqual({});
  change({ ...before, expiresAtMs: 0 }, 'bobs');
  const revoked = await call(['whoami'], { data: 'bobs' });
  expect([revoked.exitCode, revoked.err]).toEqual([2, expect.stringMatching(/is over/)]);
  await call(['logout'], { data: 'bobs' });
  const again = await call(['logout', '--json'], { data: 'bobs' });
  expect(JSON.parse(again.out)).toMatchObject({ signedOut: false });
});

test('an account that nobody holds is told how it is linked, and nothing is kept', async () => {
  const outcome = await login('stranger', 'strangers');
  expect(outcome.exitCode).toBe(2);
  expect(outcome.err).toContain(`--iss ${ground.issuer.url} --sub stranger`);
  expect((await call(['whoami'], { data: 'strangers' })).err).toMatch(/nobody has signed in/);
});

test('an agent signs in by its secret, asks for a run with a packed site, and sees its own', async () => {
  const secret = secretOf('launch-agent');
  const args = ['login', '--client', 'launch-agent', '--secret-file', secret];
  const signIn = await call(args, { data: 'agents' });
  expect(signIn).toMatchObject({ exitCode: 0, out: expect.stringContaining('agent launch-agent') });
  expect(JSON.stringify(kept('agents'))).not.toContain(readFileSync(secret, 'utf8').trim());
  writeRequest();
  const started = await call(['provision', 'request.yaml', '--run-id', 'over-http'], {
    data: 'agents',
  });
  expect(started).toMatchObject({ exitCode: 0, out: expect.stringContaining('over-http') });
  expect(ground.started).toContain('over-http');
  const listed = await call(['runs', '--json'], { data: 'agents' });
  expect(JSON.parse(listed.out)).toMatchObject({ runs: [{ runId: 'over-http', state: 'open' }] });
  const shown = await call(['show', 'over-http', '--json'], { data: 'agents' });
  expect(JSON.parse(shown.out)).toMatchObject({ runId: 'over-http', phase: 'quoting' });
  expect(await call(['why', 'over-http'], { data: 'agents' })).toMatchObject({ exitCode: 0 });
  const foreign = await call(['show', 'nobodys'], { data: 'agents' });
  expect([foreign.exitCode, foreign.err]).toEqual([2, expect.stringMatching(/there is no run/)]);
  // Its token runs out, and the secret is read again.
  change({ expiresAtMs: 0 }, 'agents');
  expect((await call(['whoami'], { data: 'agents' })).exitCode).toBe(0);
  const taken = await call(['provision', 'request.yaml', '--run-id', 'over-http'], {
    data: 'agents',
  });
  expect(taken.exitCode).toBe(0);
  const stopped = await call(['stop', '--run', 'over-http', '--reason', 'enough', '--json'], {
    data: 'agents',
  });
  expect(JSON.parse(stopped.out)).toMatchObject({ scope: 'run/over-http', onTheWire: 0 });
  const all = await call(['stop', '--all', '--reason', 'enough'], { data: 'agents' });
  expect([all.exitCode, all.err]).toEqual([1, expect.stringMatching(/scope-foreign/)]);
  const persons = await call(['provision', 'request.yaml']);
  expect([persons.exitCode, persons.err]).toEqual([2, expect.stringMatching(/only agents ask/)]);
});

function writeRequest(): void {
  mkdirSync(path.join(folder, 'site/public'), { recursive: true });
  writeFileSync(path.join(folder, 'site/worker.mjs'), 'export default {};\n');
  writeFileSync(path.join(folder, 'site/public/index.html'), '<!doctype html>');
  const lines = [
    ...['goal: Put it online', 'principal: owner@example.com', 'agent: launch-agent'],
    ...['environment: development', 'subscription: { plan: starter }', 'site: ./site'],
    ...['domain: { name: superseal.club, years: 1 }', 'budget: 60.00 USD'],
  ];
  writeFileSync(path.join(folder, 'request.yaml'), `${lines.join('\n')}\n`);
}

async function waiting(runId: string): Promise<void> {
  await admitted(ground.house, runId);
  await opened(ground.house, runId as RunId, 'plan');
}

test('a person approves with their key: the sign-in alone approves nothing', async () => {
  await waiting('to-approve');
  const typed = { typed: [PASSPHRASE] };
  const bare = await call(['approve', 'to-approve'], typed);
  expect([bare.exitCode, bare.err]).toEqual([2, expect.stringMatching(/--key names no key/)]);
  const args = ['approve', 'to-approve', '--key', 'ada.json'];
  change({ instance: '0'.repeat(32) });
  const foreign = await call(args, typed);
  expect([foreign.exitCode, foreign.err]).toEqual([
    1,
    expect.stringMatching(/another installation/),
  ]);
  const elsewhere = await login('ada');
  expect([elsewhere.exitCode, elsewhere.err]).toEqual([
    2,
    expect.stringMatching(/another installation than at the last sign-in/),
  ]);
  change({ instance: ground.house.instance });
  const byAgent = await call(args, { ...typed, data: 'agents' });
  expect([byAgent.exitCode, byAgent.err]).toEqual([2, expect.stringMatching(/only a person/)]);
  const done = await call(args, typed);
  expect(done).toMatchObject({ exitCode: 0, out: expect.stringContaining('is granted') });
  expect(done.seen).toContain('superseal.club');
  const again = await call(args, typed);
  expect([again.exitCode, again.err]).toEqual([2, expect.stringMatching(/no open gate/)]);
});

test('a person rejects without a key, by the sign-in that is on record', async () => {
  await waiting('to-reject');
  const args = ['reject', 'to-reject', '--reason', 'not this month'];
  expect((await call([...args, '--print'], { typed: [] })).exitCode).toBe(2);
  const done = await call(args, { typed: [] });
  expect(done).toMatchObject({ exitCode: 0, out: expect.stringContaining('is rejected') });
});

test.each([
  ['a verb without a route', ['inbox'], /inbox does not go over a server/, /Unset/],
  ['a verb without a route, by option', ['cases', 'list', '--server', 'x'], /cases list/, /Leave/],
  ['a server in the clear', ['runs', '--server', 'http://example.com'], /no address/, /https/],
  ['half of an agent’s sign-in', ['login', '--client', 'a'], /without its other half/, /both/],
  ['a pause', ['stop', '--all', '--reason', 'x', '--pause-subscriptions'], /--pause/, /Leave/],
  ['a service key', ['provision', 'request.yaml', '--service-key', 'x'], /token/, /login/],
  [
    'a phase that is not on the record',
    ['runs', '--phase', 'running'],
    /not on the record/,
    /comp/,
  ],
  ['an e-mail address', ['stop', '--principal', 'a@b.co', '--reason', 'x'], /e-mail/, /pr_/],
])('a call that cannot go over a server says so: %s', async (_title, args, what, remedy) => {
  const named = args.map((arg) =>
    arg === 'x' && args.includes('--server') ? ground.server.url : arg,
  );
  const { err, exitCode, out } = await call(named);
  expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' });
  expect(err).toMatch(/^countersign: [^\n]+\n$/);
  expect(err).toMatch(what);
  expect(err).toMatch(remedy);
});

test('a server that does not answer, or is none, is exit code 3', async () => {
  for (const url of ['http://127.0.0.1:9', ground.issuer.url]) {
    const { err, exitCode } = await call(['login', '--server', url]);
    expect([exitCode, err]).toEqual([3, expect.stringMatching(/does not answer as it should/)]);
  }
});

import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { BadMember } from '../../../sandbox/core/provider.js';
import type { PersonAction } from '../../../sandbox/core/provider.js';
import { World } from '../../../sandbox/core/world.js';
import { startIssuer } from '../../../sandbox/issuer/start-issuer.js';
import type { Issuer } from '../../../sandbox/issuer/start-issuer.js';
import { clientToken, signIn, tokenRequest, CLIENT } from '../../helpers/sign-in.js';

const AUDIENCE = 'http://127.0.0.1:4321';
const dataDir = mkdtempSync(join(tmpdir(), 'countersign-issuer-'));
let issuer: Issuer;
beforeAll(async () => {
  issuer = await startIssuer({ dataDir, port: 0, audience: AUDIENCE });
});
afterAll(async () => {
  await issuer.close();
  rmSync(dataDir, { recursive: true, force: true });
});

function order(name: string, body: Record<string, unknown> = {}): unknown {
  const action: PersonAction | undefined = issuer.people[name];
  return action?.(new World(dataDir, 'main'), { do: name, ...body });
}
const person = (sub: string, change: Record<string, unknown> = {}): { password: string } =>
  order('issuer-person', { sub, ...change }) as { password: string };
const kids = async (): Promise<string[]> => {
  // The socket of a stopped issuer is not to be used again.
  const answer = await fetch(`${issuer.url}/jwks`, { headers: { connection: 'close' } });
  return ((await answer.json()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
};

test('a person signs in with PKCE, and the token says who, when, and for whom it is', async () => {
  const { password } = person('ada', { groups: ['approvers'], emailVerified: false });
  const before = Math.floor(Date.now() / 1_000);
  const tokens = await signIn({ issuer: issuer.url, name: 'ada', password });
  expect(decodeProtectedHeader(tokens.access_token)).toMatchObject({
    typ: 'at+jwt',
    alg: 'ES256',
  });
  const claims = decodeJwt(tokens.access_token);
  expect(claims).toMatchObject({
    iss: issuer.url,
    aud: AUDIENCE,
    sub: 'ada',
    email: 'ada@example.com',
    email_verified: false,
    groups: ['approvers'],
  });
  expect(claims['auth_time']).toBeGreaterThanOrEqual(before);
  expect(Number(claims.exp) - Number(claims.iat)).toBe(600);
  expect(decodeProtectedHeader(tokens.id_token).typ).not.toBe('at+jwt');
  const again = await tokenRequest<{ access_token: string }>(issuer.url, {
    grant_type: 'refresh_token',
    refresh_token: tokens.refresh_token,
    client_id: CLIENT,
  });
  // A token that was refreshed is as old as the sign-in behind it.
  expect(decodeJwt(again.access_token)['auth_time']).toBe(claims['auth_time']);
});

test('a wrong password signs nobody in', async () => {
  person('bob');
  await expect(signIn({ issuer: issuer.url, name: 'bob', password: 'bob' })).rejects.toThrow('403');
});

test('an agent gets a token of minutes for its own client id, without a sign-in', async () => {
  const client = order('issuer-client', { clientId: 'launch-agent' }) as { secret: string };
  const of = { issuer: issuer.url, clientId: 'launch-agent' };
  const token = await clientToken({ ...of, secret: client.secret });
  expect(decodeProtectedHeader(token).typ).toBe('at+jwt');
  expect(decodeJwt(token)).toMatchObject({ sub: 'launch-agent', aud: AUDIENCE });
  expect(decodeJwt(token)).not.toHaveProperty('auth_time');
  await expect(clientToken({ ...of, secret: 'guessed' })).rejects.toThrow('401');
  const elsewhere = { ...of, secret: client.secret, resource: 'https://other.example' };
  expect(decodeJwt(await clientToken(elsewhere)).aud).toBe('https://other.example');
});

test('the signing key changes on request, and the old one goes when told', async () => {
  const [first] = await kids();
  const { kid } = order('issuer-rotate-keys') as { kid: string };
  expect(await kids()).toEqual([kid, first]);
  order('issuer-rotate-keys', { drop: true });
  expect(await kids()).toHaveLength(1);
});

test('what is asked of it in other words is refused by the member', () => {
  expect(() => order('issuer-person', { sub: 'A B' })).toThrow(BadMember);
  expect(() => order('issuer-client', { clientId: 'x', more: 1 })).toThrow(BadMember);
});

test('keys and people outlive the process, in a file that is its owner’s alone', async () => {
  const { password } = person('eve');
  const before = await kids();
  const port = Number(new URL(issuer.url).port);
  await issuer.close();
  issuer = await startIssuer({ dataDir, port, audience: AUDIENCE });
  expect(await kids()).toEqual(before);
  expect((await signIn({ issuer: issuer.url, name: 'eve', password })).access_token).toBeTruthy();
  const file = join(dataDir, 'issuer.json');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(file, 'utf8')).toContain(password);
});

test('under another name than its own it answers nobody', async () => {
  const { port } = new URL(issuer.url);
  const answer = await fetch(`http://localhost:${port}/jwks`);
  expect(answer.status).toBe(403);
});

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { createEgress, isPublicAddress } from '../../gateway/egress.js';

const servers: { close(): void; closeAllConnections(): void }[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function edge(answer: (host: string) => { status: number; body: string }): Promise<string> {
  const server = createServer((request, response) => {
    const { status, body } = answer(request.headers.host ?? '');
    response.writeHead(status, status === 302 ? { location: 'http://169.254.169.254/' } : {});
    response.end(body);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test.each([
  '10.1.2.3',
  '100.64.0.1',
  '127.0.0.1',
  '169.254.169.254',
  '172.31.0.1',
  '192.168.1.1',
  '0.0.0.0',
  '224.0.0.1',
  '255.255.255.255',
  '::1',
  '::',
  'fd00::1',
  'fe80::1',
  'ff02::1',
  '::ffff:127.0.0.1',
  '::ffff:8.8.8.8',
  '64:ff9b::7f00:1',
  '2002:7f00:1::',
  'nonsense',
])('the address %s is refused', (address) => {
  expect(isPublicAddress(address)).toBe(false);
});

test.each(['1.1.1.1', '8.8.8.8', '2606:4700::1111'])('the address %s is public', (address) => {
  expect(isPublicAddress(address)).toBe(true);
});

test.each([
  'http://superseal.club/',
  'https://superseal.club:8443/',
  'https://user:pass@superseal.club/',
  'file:///etc/passwd',
])('%s is refused before a name is looked up', async (url) => {
  const egress = createEgress({
    resolve: () => {
      throw new Error('looked up');
    },
  });
  await expect(egress(url)).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
});

test('a name that leads to a private address among public ones is refused', async () => {
  const egress = createEgress({ resolve: () => Promise.resolve(['1.1.1.1', '10.0.0.1']) });
  await expect(egress('https://superseal.club/')).rejects.toMatchObject({
    code: 'REQUEST_INVALID',
  });
});

test('an address written as a literal is checked like any other', async () => {
  await expect(createEgress()('https://127.0.0.1/')).rejects.toMatchObject({
    code: 'REQUEST_INVALID',
  });
  await expect(createEgress()('https://[::1]/')).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
});

test('status, digest and length come back, and the site is asked under its own name', async () => {
  const hosts: string[] = [];
  const edgeOverride = await edge((host) => {
    hosts.push(host);
    return { status: 200, body: 'hello' };
  });
  expect(await createEgress({ edgeOverride })('https://superseal.club/')).toEqual({
    status: 200,
    digest: 'sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
    bytes: 5,
  });
  expect(hosts).toEqual(['superseal.club']);
});

test('a redirect is an answer, not a way', async () => {
  const edgeOverride = await edge(() => ({ status: 302, body: '' }));
  expect((await createEgress({ edgeOverride })('https://superseal.club/')).status).toBe(302);
});

test('an answer longer than allowed is none', async () => {
  const edgeOverride = await edge(() => ({ status: 200, body: 'x'.repeat(2_000) }));
  await expect(
    createEgress({ edgeOverride, maxBytes: 1_000 })('https://superseal.club/'),
  ).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
});

test('only the sandbox on loopback may stand in for the edge', async () => {
  await expect(
    createEgress({ edgeOverride: 'http://10.0.0.1:80' })('https://superseal.club/'),
  ).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
});

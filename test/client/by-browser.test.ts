import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { tokensByBrowser } from '../../client/http/by-browser.js';
import type { Tokens } from '../../client/http/issuer.js';

/** The way back from the issuer's pages: whoever else knows the port cannot sign this person in as somebody else. */
const ISSUER = 'https://id.example';
/** What the issuer was asked to give tokens for. */
const asked: URLSearchParams[] = [];
let issuer: Server;
beforeAll(async () => {
  issuer = createServer((request, response) => {
    void text(request).then((body) => {
      const form = new URLSearchParams(body);
      asked.push(form);
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify({ access_token: `for ${form.get('code') ?? ''}`, token_type: 'Bearer' }),
      );
    });
  });
  issuer.listen(0, '127.0.0.1');
  await once(issuer, 'listening');
});
afterAll(async () => {
  issuer.closeAllConnections();
  issuer.close();
  await once(issuer, 'close');
});
beforeEach(() => {
  asked.length = 0;
});

interface Begun {
  /** What the person is sent to the issuer with. */
  readonly said: URLSearchParams;
  /** What becomes of it: the tokens, or the refusal. */
  readonly ended: Promise<Tokens | { readonly code: string }>;
  /** Comes back to the terminal with these words; answers the status of the page. */
  readonly back: (words: Readonly<Record<string, string>>) => Promise<number>;
}

async function begun(): Promise<Begun> {
  const endpoint = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/token`;
  let show: (url: string) => void = () => undefined;
  const shown = new Promise<URLSearchParams>((resolve) => {
    show = (url) => {
      resolve(new URL(url).searchParams);
    };
  });
  const ended = tokensByBrowser(
    {
      ...{ issuer: ISSUER, resource: 'https://server.example', clientId: 'cli' },
      ...{ authorizationEndpoint: `${ISSUER}/authorize`, tokenEndpoint: endpoint },
    },
    { show, signal: AbortSignal.timeout(30_000) },
  ).catch((error: unknown) => error as { readonly code: string });
  const said = await shown;
  const back = async (words: Readonly<Record<string, string>>): Promise<number> => {
    const url = new URL(said.get('redirect_uri') ?? '');
    for (const [name, value] of Object.entries(words)) url.searchParams.set(name, value);
    return (await fetch(url)).status;
  };
  return { said, ended, back };
}

test('a code that does not know the state of this sign-in is taken from nobody', async () => {
  const { back, ended, said } = await begun();
  const state = said.get('state') ?? '';
  expect(state.length).toBeGreaterThanOrEqual(32);
  expect(await back({ code: 'theirs', iss: ISSUER })).toBe(404);
  expect(await back({ code: 'theirs', iss: ISSUER, state: `${state}x` })).toBe(404);
  expect(await back({ code: 'ours', iss: ISSUER, state })).toBe(200);
  expect(await ended).toMatchObject({ accessToken: 'for ours' });
  expect(asked.map((form) => form.get('code'))).toEqual(['ours']);
  // And the code is worth nothing to whoever has read it on its way: the verifier never left here.
  const verifier = asked[0]?.get('code_verifier') ?? '';
  expect(said.get('code_challenge_method')).toBe('S256');
  expect(createHash('sha256').update(verifier).digest('base64url')).toBe(
    said.get('code_challenge'),
  );
  expect(said.toString()).not.toContain(verifier);
});

test('an answer of another issuer ends the sign-in, and its code goes nowhere', async () => {
  const { back, ended, said } = await begun();
  const state = said.get('state') ?? '';
  expect(await back({ code: 'theirs', iss: 'https://other.example', state })).toBe(400);
  expect(await ended).toMatchObject({ code: 'mix-up' });
  expect(asked).toEqual([]);
});

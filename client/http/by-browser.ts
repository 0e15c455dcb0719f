import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignInRefused } from './errors.js';
import { tokens } from './issuer.js';
import type { Issuer, Tokens } from './issuer.js';

const PATH = '/callback';
/** A person has this long at the issuer's pages. */
const PATIENCE_MS = 10 * 60_000;

/**
 * Signs a person in: authorization code with PKCE, back to a free port of the loopback address (RFC 8252). The issuer
 * always asks who it is: a browser that is still signed in lends nobody its person.
 * @throws SignInRefused, HttpUnreachable, and the signal's reason
 */
export async function tokensByBrowser(
  at: Issuer,
  of: { readonly show: (url: string) => void; readonly signal: AbortSignal },
): Promise<Tokens> {
  const state = randomBytes(24).toString('base64url');
  const verifier = randomBytes(32).toString('base64url');
  const back = await listenForCode(at, state);
  try {
    const redirect = `http://127.0.0.1:${back.port}${PATH}`;
    const url = new URL(at.authorizationEndpoint);
    for (const [name, value] of Object.entries({
      client_id: at.clientId,
      response_type: 'code',
      redirect_uri: redirect,
      scope: 'openid offline_access countersign',
      resource: at.resource,
      prompt: 'login',
      state,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    }))
      url.searchParams.set(name, value);
    of.show(url.href);
    const code = await back.code(AbortSignal.any([of.signal, AbortSignal.timeout(PATIENCE_MS)]));
    return await tokens(at.tokenEndpoint, {
      ...{ grant_type: 'authorization_code', code, redirect_uri: redirect },
      ...{ client_id: at.clientId, code_verifier: verifier },
    });
  } finally {
    back.close();
  }
}

interface Back {
  readonly port: number;
  code(signal: AbortSignal): Promise<string>;
  close(): void;
}

/** One small page on the loopback address that takes the code, once, from whoever knows the state. */
async function listenForCode({ issuer }: Issuer, state: string): Promise<Back> {
  let arrived: (code: string) => void = () => undefined;
  let refused: (why: Error) => void = () => undefined;
  const landed = new Promise<string>((resolve, reject) => {
    arrived = resolve;
    refused = reject;
  });
  // Nobody may be waiting yet when the issuer says no.
  landed.catch(() => undefined);
  const server = createServer((request, response) => {
    const { pathname, searchParams: said } = new URL(request.url ?? '/', 'http://127.0.0.1');
    // guard: a code that somebody else's page sends here would sign this person in as somebody else.
    if (request.method !== 'GET' || pathname !== PATH || !same(said.get('state') ?? '', state)) {
      page(response, 404, 'Nothing is here.');
      return;
    }
    const code = said.get('code');
    // guard: RFC 9207: an answer of another issuer is no answer to what was asked.
    const foreign = said.has('iss') && said.get('iss') !== issuer;
    if (code === null || foreign) {
      page(response, 400, 'You are not signed in. The terminal says why.');
      const error = said.get('error') ?? 'mix-up';
      refused(new SignInRefused(error, said.get('error_description') ?? error));
      return;
    }
    page(response, 200, 'You are back at the terminal. This page can be closed.');
    arrived(code);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    code: (signal) => unlessAborted(landed, signal),
    close: () => {
      server.close();
      server.closeIdleConnections();
    },
  };
}

async function unlessAborted<T>(wanted: Promise<T>, signal: AbortSignal): Promise<T> {
  const gone = new Promise<never>((_resolve, reject) => {
    const leave = (): void => {
      const timedOut = (signal.reason as { name?: string } | undefined)?.name === 'TimeoutError';
      reject(
        timedOut
          ? new SignInRefused('timeout', 'nobody signed in within ten minutes')
          : new Error('interrupted'),
      );
    };
    if (signal.aborted) leave();
    signal.addEventListener('abort', leave, { once: true });
  });
  return Promise.race([wanted, gone]);
}

const same = (given: string, wanted: string): boolean =>
  timingSafeEqual(
    createHash('sha256').update(given).digest(),
    createHash('sha256').update(wanted).digest(),
  );

function page(response: ServerResponse, status: number, words: string): void {
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    'referrer-policy': 'no-referrer',
    connection: 'close',
  });
  response.end(`<!doctype html><meta charset="utf-8"><title>Countersign</title><p>${words}</p>\n`);
}

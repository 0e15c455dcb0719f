import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { errors } from './oidc.js';
import type { Provider } from './oidc.js';
import type { IssuerStore } from './store.js';

const FORM_BYTES_MAX = 8 * 1_024;
const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const;

/** The page on which a person of the sandbox signs in: GET shows the form, POST takes it. */
export async function serveInteraction(
  { provider, store }: { readonly provider: Provider; readonly store: IssuerStore },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const details = await provider.interactionDetails(request, response);
    const client = await provider.Client.find(String(details.params['client_id']));
    const asks = client?.clientName ?? 'somebody';
    if (request.method !== 'POST') {
      page(response, 200, details.prompt.name === 'consent' ? consent(asks) : form(asks, ''));
      return;
    }
    if (details.prompt.name === 'consent') {
      await provider.interactionFinished(request, response, { consent: {} });
      return;
    }
    const fields = new URLSearchParams(await readForm(request));
    const person = store.person(fields.get('name') ?? '');
    if (person === undefined || !same(fields.get('password') ?? '', person.password)) {
      page(response, 403, form(asks, 'Nobody here has this name and password.'));
      return;
    }
    await provider.interactionFinished(request, response, { login: { accountId: person.sub } });
  } catch (error) {
    // An interaction that is over, or that another browser began: nothing to tell but that.
    if (!(error instanceof errors.OIDCProviderError) && !(error instanceof TooLarge)) throw error;
    page(response, 400, '<p>This sign-in is over. Start it again.</p>');
  }
}

class TooLarge extends Error {}

const same = (given: string, wanted: string): boolean =>
  timingSafeEqual(
    createHash('sha256').update(given).digest(),
    createHash('sha256').update(wanted).digest(),
  );

async function readForm(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > FORM_BYTES_MAX) throw new TooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

const escaped = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

const words = (asks: string): string =>
  `<p>${escaped(asks)} asks who you are. It may then act at Countersign as you, but approve nothing.</p>`;

/** Anything on this machine can claim to be the command line: it is never let in without a word. */
const consent = (asks: string): string => `${words(asks)}
  <form method="post"><button>Let it</button></form>`;

const form = (asks: string, wrong: string): string => `${words(asks)}
  <p role="alert">${escaped(wrong)}</p>
  <form method="post">
    <label>Name <input name="name" autocomplete="username" required autofocus></label>
    <label>Password <input name="password" type="password" autocomplete="current-password" required></label>
    <button>Sign in</button>
  </form>`;

function page(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, HEADERS);
  response.end(`<!doctype html><html lang="en"><meta charset="utf-8"><title>Sandbox sign-in</title>
<style>body{font:16px/1.5 sans-serif;max-width:26em;margin:4em auto;padding:0 1em}label{display:block;margin:.5em 0}</style>
<h1>Sandbox sign-in</h1>${body}</html>\n`);
}

import { createHash, randomBytes } from 'node:crypto';

/** What a person's browser does at the sandbox's issuer: follows, fills in the form, keeps cookies. */

interface SignIn {
  readonly issuer: string;
  readonly name: string;
  readonly password: string;
  /** Of the tokens; the issuer's own audience unless given. */
  readonly resource?: string;
  readonly scope?: string;
}

export interface Tokens {
  readonly access_token: string;
  readonly id_token: string;
  readonly refresh_token: string;
}

export const CLIENT = 'countersign-cli';

/** Follows an authorization URL as a browser would, up to the address that leads back to the client. */
export async function browse(
  url: string,
  of: { readonly name: string; readonly password: string; readonly back: string },
): Promise<URL> {
  const cookies = new Map<string, string>();
  let next = url;
  let form: URLSearchParams | undefined;
  for (let hop = 0; hop < 12; hop += 1) {
    const answer = await fetch(next, {
      redirect: 'manual',
      headers: {
        connection: 'close',
        cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; '),
      },
      ...(form === undefined ? {} : { method: 'POST', body: form }),
    });
    form = undefined;
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      cookies.set(name, value);
    }
    const location = answer.headers.get('location');
    if (location === null && next.includes('/interaction/') && answer.status === 200)
      form = new URLSearchParams({ name: of.name, password: of.password });
    else if (location === null)
      throw new Error(`sign-in stopped at ${next}: ${answer.status} ${await answer.text()}`);
    else next = new URL(location, next).href;
    if (next.startsWith(of.back)) return new URL(next);
  }
  throw new Error('sign-in did not come to an end');
}

/** Signs a person in by authorization code with PKCE, as the command line does. */
export async function signIn(of: SignIn): Promise<Tokens> {
  const verifier = randomBytes(32).toString('base64url');
  const back = 'http://127.0.0.1:4999/callback';
  const url = new URL(`${of.issuer}/auth`);
  url.search = new URLSearchParams({
    client_id: CLIENT,
    response_type: 'code',
    redirect_uri: back,
    scope: of.scope ?? 'openid offline_access countersign',
    state: 'a-state',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...(of.resource === undefined ? {} : { resource: of.resource }),
  }).toString();
  const landed = await browse(url.href, { ...of, back });
  return tokenRequest<Tokens>(of.issuer, {
    grant_type: 'authorization_code',
    code: landed.searchParams.get('code') ?? '',
    redirect_uri: back,
    client_id: CLIENT,
    code_verifier: verifier,
  });
}

/** A token for an agent or service of its own. */
export async function clientToken(of: {
  readonly issuer: string;
  readonly clientId: string;
  readonly secret: string;
  readonly resource?: string;
}): Promise<string> {
  const basic = Buffer.from(`${of.clientId}:${of.secret}`).toString('base64');
  const { access_token: token } = await tokenRequest<{ access_token: string }>(
    of.issuer,
    {
      grant_type: 'client_credentials',
      scope: 'countersign',
      ...(of.resource === undefined ? {} : { resource: of.resource }),
    },
    { authorization: `Basic ${basic}` },
  );
  return token;
}

export async function tokenRequest<T>(
  issuer: string,
  body: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<T> {
  const answer = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { ...headers, connection: 'close' },
    body: new URLSearchParams(body),
  });
  if (!answer.ok) throw new Error(`the issuer answered ${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as T;
}

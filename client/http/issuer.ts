import { z } from 'zod';
import { askJson, isSafeAddress } from './ask-json.js';
import { HttpUnreachable, SignInRefused } from './errors.js';

/** Where a server has its callers sign in, as the server and the issuer say themselves. */
export interface Issuer {
  readonly issuer: string;
  /** For whom the tokens have to be. */
  readonly resource: string;
  /** As whom the command line asks. */
  readonly clientId: string;
  readonly authorizationEndpoint: string;
  readonly tokenEndpoint: string;
  readonly revocationEndpoint?: string | undefined;
}

/** What an issuer hands out. Nothing in it is read here but how long it lasts and whose it is. */
export interface Tokens {
  readonly accessToken: string;
  readonly expiresAtMs: number;
  readonly refreshToken?: string;
  /** The account, for messages alone: whose the token is, the server says. */
  readonly subject?: string;
}

const resourceSchema = z.object({
  resource: z.string().min(1),
  authorization_servers: z.array(z.string()).min(1),
  countersign_cli_client_id: z.string().min(1),
});
const issuerSchema = z.object({
  issuer: z.string(),
  authorization_endpoint: z.url(),
  token_endpoint: z.url(),
  revocation_endpoint: z.url().optional(),
});
const tokensSchema = z.object({
  access_token: z.string().min(1),
  token_type: z.string().regex(/^bearer$/i),
  expires_in: z.number().positive().default(300),
  refresh_token: z.string().min(1).optional(),
  id_token: z.string().optional(),
});
const refusalSchema = z.object({ error: z.string(), error_description: z.string().optional() });

/** Asks the server whom it trusts, and that issuer where its endpoints are. @throws HttpUnreachable */
export async function discover(server: string): Promise<Issuer> {
  const at = `${server}/.well-known/oauth-protected-resource`;
  const own = resourceSchema.safeParse((await askJson(at)).json);
  if (!own.success) throw new HttpUnreachable(server, 'it is no Countersign server');
  const [issuer = ''] = own.data.authorization_servers;
  const metadata = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const said = issuerSchema.safeParse((await askJson(metadata)).json);
  // guard: metadata that names another issuer would have us send a code or a secret elsewhere.
  if (!said.success || said.data.issuer !== issuer)
    throw new HttpUnreachable(issuer, 'its metadata is not its own');
  const { authorization_endpoint: authorization, revocation_endpoint, token_endpoint } = said.data;
  if (![authorization, token_endpoint].every(isSafeAddress))
    throw new HttpUnreachable(issuer, 'its endpoints are not https');
  return {
    issuer,
    resource: own.data.resource,
    clientId: own.data.countersign_cli_client_id,
    authorizationEndpoint: authorization,
    tokenEndpoint: token_endpoint,
    revocationEndpoint: revocation_endpoint,
  };
}

/** A token for an agent or a service, by its own secret. @throws SignInRefused, HttpUnreachable */
export function tokensBySecret(
  at: Pick<Issuer, 'resource' | 'tokenEndpoint'>,
  of: { readonly clientId: string; readonly secret: string },
): Promise<Tokens> {
  const basic = [of.clientId, of.secret].map(encodeURIComponent).join(':');
  return tokens(
    at.tokenEndpoint,
    { grant_type: 'client_credentials', scope: 'countersign', resource: at.resource },
    { authorization: `Basic ${Buffer.from(basic).toString('base64')}` },
  );
}

/** New tokens for ones that have expired. @throws SignInRefused when the sign-in is over, HttpUnreachable */
export function refreshed(
  at: Pick<Issuer, 'clientId' | 'resource' | 'tokenEndpoint'>,
  refreshToken: string,
): Promise<Tokens> {
  return tokens(at.tokenEndpoint, {
    ...{ grant_type: 'refresh_token', refresh_token: refreshToken },
    ...{ client_id: at.clientId, resource: at.resource },
  });
}

/** Tells the issuer that a sign-in is over. @throws SignInRefused, HttpUnreachable */
export async function revoke(
  at: Pick<Issuer, 'clientId' | 'revocationEndpoint'>,
  refreshToken: string,
): Promise<void> {
  if (at.revocationEndpoint === undefined)
    throw new SignInRefused('unsupported', 'the issuer cannot be told of it');
  const answer = await askJson(at.revocationEndpoint, {
    ...form({ token: refreshToken, token_type_hint: 'refresh_token', client_id: at.clientId }),
  });
  if (answer.status !== 200) throw refusalOf(answer.json);
}

/** The issuer's answer to one request for tokens. @throws SignInRefused, HttpUnreachable */
export async function tokens(
  endpoint: string,
  body: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Tokens> {
  const asked = form(body);
  const nowMs = Date.now();
  const answer = await askJson(endpoint, { ...asked, headers: { ...asked.headers, ...headers } });
  if (answer.status !== 200) throw refusalOf(answer.json);
  const said = tokensSchema.safeParse(answer.json);
  if (!said.success) throw new HttpUnreachable(new URL(endpoint).origin, 'its answer has no token');
  const { access_token: accessToken, expires_in: lifeS, refresh_token } = said.data;
  const subject = subjectOf(said.data.id_token);
  return {
    accessToken,
    expiresAtMs: Math.floor(nowMs + lifeS * 1_000),
    ...(refresh_token === undefined ? {} : { refreshToken: refresh_token }),
    ...(subject === undefined ? {} : { subject }),
  };
}

function form(body: Readonly<Record<string, string>>): {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
} {
  return {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(body).toString(),
  };
}

function refusalOf(json: unknown): SignInRefused {
  const said = refusalSchema.safeParse(json);
  if (!said.success) return new SignInRefused('unknown', 'the issuer refused without a reason');
  const { error, error_description: words } = said.data;
  return new SignInRefused(error, words ?? error);
}

/** Of an ID token that came over TLS from the issuer itself; shown, and believed in nothing. */
function subjectOf(idToken: string | undefined): string | undefined {
  try {
    const part = Buffer.from(idToken?.split('.')[1] ?? '', 'base64url').toString('utf8');
    return z.object({ sub: z.string().max(255) }).parse(JSON.parse(part)).sub;
  } catch {
    return undefined;
  }
}

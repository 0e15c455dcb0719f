import type { Configuration, KoaContextWithOIDC } from 'oidc-provider';
import { adapterOver } from './adapter.js';
import { Provider } from './oidc.js';
import type { IssuerStore } from './store.js';

/** The command line: public, so with PKCE, and back to any port of the loopback address. */
export const CLI_CLIENT = 'countersign-cli';

/** An agent's token is good for minutes, a person's access token for as long, their refresh token for a day. In s. */
const TTL = { access: 600, refresh: 86_400, session: 12 * 3_600, minutes: 600 } as const;

export interface IssuerSettings {
  /** The issuer's own URL, exactly as it stands in its tokens. */
  readonly issuer: string;
  readonly store: IssuerStore;
  /** For whom a token is that names no resource. */
  readonly audience: string | undefined;
}

/** An OpenID provider over the store: code with PKCE for persons, client credentials for agents. */
export function createProvider({ issuer, store, audience }: IssuerSettings): Provider {
  return new Provider(issuer, {
    adapter: adapterOver(store),
    jwks: { keys: [...store.keys] },
    cookies: { keys: store.cookieKeys, names: cookieNames(issuer) },
    clients: [
      {
        client_id: CLI_CLIENT,
        client_name: 'the countersign command line',
        application_type: 'native',
        token_endpoint_auth_method: 'none',
        redirect_uris: ['http://127.0.0.1/callback'],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
      },
    ],
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    responseTypes: ['code'],
    pkce: { required: () => true },
    scopes: ['openid', 'offline_access', 'email', 'profile', 'groups', 'countersign'],
    claims: {
      openid: ['sub'],
      email: ['email', 'email_verified'],
      profile: ['name'],
      groups: ['groups'],
    },
    conformIdTokenClaims: false,
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    findAccount: (_ctx, sub) => accountOf(store, sub),
    loadExistingGrant: grantAll,
    issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: true,
    extraTokenClaims: (ctx, token) => personClaims(store, ctx, token),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      revocation: { enabled: true },
      userinfo: { enabled: false },
      resourceIndicators: {
        enabled: true,
        ...(audience === undefined ? {} : { defaultResource: () => audience }),
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, resource) => ({
          scope: 'countersign',
          audience: resource,
          accessTokenFormat: 'jwt',
          accessTokenTTL: TTL.access,
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
    ttl: {
      AccessToken: TTL.access,
      ClientCredentials: TTL.access,
      AuthorizationCode: 60,
      IdToken: TTL.minutes,
      RefreshToken: TTL.refresh,
      Interaction: TTL.minutes,
      Session: TTL.session,
      Grant: TTL.refresh,
    },
  });
}

/** Cookies know no ports: two issuers on one machine would write over each other's. */
function cookieNames(issuer: string): Record<'session' | 'interaction' | 'resume', string> {
  const port = new URL(issuer).port;
  return {
    session: `issuer_session_${port}`,
    interaction: `issuer_interaction_${port}`,
    resume: `issuer_resume_${port}`,
  };
}

type FindAccount = NonNullable<Configuration['findAccount']>;

function accountOf(store: IssuerStore, sub: string): ReturnType<FindAccount> {
  const person = store.person(sub);
  if (person === undefined) return undefined;
  return {
    accountId: sub,
    claims: () => ({
      sub,
      name: person.name,
      email: person.email,
      email_verified: person.emailVerified,
      groups: [...person.groups],
    }),
  };
}

type LoadGrant = NonNullable<Configuration['loadExistingGrant']>;

/** What the client asked for; whether a person lets it is asked by the page, each time. */
const grantAll: LoadGrant = async (ctx) => {
  const { client, params, provider, session } = ctx.oidc;
  if (client === undefined || session?.accountId === undefined) return undefined;
  const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  const scope = typeof params?.['scope'] === 'string' ? params['scope'] : '';
  grant.addOIDCScope(scope);
  for (const resource of resourcesOf(ctx)) grant.addResourceScope(resource, scope);
  await grant.save();
  return grant;
};

function resourcesOf({ oidc }: KoaContextWithOIDC): string[] {
  const asked = oidc.params?.['resource'];
  return (Array.isArray(asked) ? asked : [asked]).filter(
    (one): one is string => typeof one === 'string',
  );
}

/** RFC 9068: when and how somebody signed in goes into the access token, with what the server shows of them. */
function personClaims(
  store: IssuerStore,
  ctx: KoaContextWithOIDC,
  token: object,
): Record<string, string | number | boolean | string[]> | undefined {
  const { AccessToken } = ctx.oidc.provider;
  const person = token instanceof AccessToken ? store.person(token.accountId) : undefined;
  if (person === undefined || !(token instanceof AccessToken)) return undefined;
  const { AuthorizationCode: code, RefreshToken: refreshed } = ctx.oidc.entities;
  const authTime = code?.authTime ?? refreshed?.authTime;
  return {
    email: person.email,
    email_verified: person.emailVerified,
    groups: [...person.groups],
    ...(authTime === undefined ? {} : { auth_time: authTime }),
    ...(token.sessionUid === undefined ? {} : { sid: token.sessionUid }),
  };
}

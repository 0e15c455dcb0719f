import { RunUnknown } from '../client/errors.js';
import { ServerRefused, SignInRefused } from '../client/http/errors.js';
import { discover, refreshed, tokensBySecret } from '../client/http/issuer.js';
import type { Tokens } from '../client/http/issuer.js';
import { isSafeAddress } from '../client/http/ask-json.js';
import { ServerApi } from '../client/http/server-api.js';
import { watchBy } from '../client/watch-run.js';
import type { RunHandle } from '../client/run-handle.js';
import { UsageError } from '../config/errors.js';
import { readLogin, writeLogin } from '../config/logins.js';
import type { Login } from '../config/logins.js';
import { readPrivateFile } from '../config/private-files.js';
import { serverAddressOf } from '../config/server-settings.js';
import type { RunId } from '../domain/ids.js';
import type { RunState } from '../domain/plan.js';
import type { Context } from './context.js';

/** The server that is meant: named, or the stack's own. @throws UsageError for an address that a token may not go to */
export function serverOf({ config }: Context): string {
  const url = serverAddressOf(config);
  if (isSafeAddress(url)) return url;
  throw new UsageError({
    what: `${url} is no address that a token may be sent to`,
    remedy: 'Use https://, or http:// on this machine',
  });
}

/** A caller who has signed in, with a token that still counts. */
export interface SignedIn {
  readonly server: string;
  readonly api: ServerApi;
  readonly login: Login;
}

/** Renewed this long before its end. In ms. */
const EARLY_MS = 30_000;

/** The caller's sign-in at the server, renewed where it has run out. @throws UsageError when there is none, or it is over */
export async function signedIn(context: Context): Promise<SignedIn> {
  const server = serverOf(context);
  const kept = readLogin(context.config.dataDir, server);
  if (kept === undefined)
    throw new UsageError({
      what: `nobody has signed in at ${server}`,
      remedy: 'Sign in with: countersign login',
    });
  const login = kept.expiresAtMs - Date.now() > EARLY_MS ? kept : await renewed(context, server);
  return { server, login, api: new ServerApi(server, login.accessToken) };
}

async function renewed(context: Context, server: string): Promise<Login> {
  const { dataDir } = context.config;
  const before = readLogin(dataDir, server);
  if (before === undefined) throw over();
  const fresh = await newTokens(server, before).catch((error: unknown) => {
    if (!(error instanceof SignInRefused)) throw error;
    // Another call at the same time may have used the refresh token up, and kept the next one.
    const now = readLogin(dataDir, server);
    if (now !== undefined && now.accessToken !== before.accessToken) return undefined;
    throw over();
  });
  const login =
    fresh === undefined ? readLogin(dataDir, server) : { ...before, ...withoutSubject(fresh) };
  if (login === undefined) throw over();
  writeLogin(dataDir, server, login);
  return login;
}

async function newTokens(server: string, login: Login): Promise<Tokens> {
  const at = await discover(server);
  // guard: a server that names another issuer by now gets neither the secret nor the refresh token sent there.
  if (at.issuer !== login.issuer || at.resource !== login.resource) throw over();
  const { clientId, refreshToken, secretFile } = login;
  if (secretFile !== undefined)
    return tokensBySecret(at, { clientId, secret: secretIn(secretFile) });
  if (refreshToken === undefined) throw over();
  return refreshed({ ...at, clientId }, refreshToken);
}

export const withoutSubject = ({ accessToken, expiresAtMs, refreshToken }: Tokens) => ({
  accessToken,
  expiresAtMs,
  ...(refreshToken === undefined ? {} : { refreshToken }),
});

/** The secret of an agent or service, out of a file that only its owner reads. @throws UsageError */
export function secretIn(file: string): string {
  const secret = readPrivateFile(file)?.trim();
  if (secret !== undefined && secret !== '') return secret;
  throw new UsageError({
    what: secret === undefined ? 'there is no such file' : 'the file is empty',
    where: file,
    remedy: 'Put the client’s secret there, readable only for you (chmod 600)',
  });
}

const over = (): UsageError =>
  new UsageError({
    what: 'the sign-in is over',
    remedy: 'Sign in again with: countersign login',
  });

const LOOK_MS = 2_000;

/** A run as the server tells of it, by its record. */
export function runOverServer(
  context: Context,
  runId: RunId,
): Pick<RunHandle, 'runId' | 'state' | 'watch'> {
  const state = async (): Promise<RunState> => {
    try {
      return await (await signedIn(context)).api.run(runId);
    } catch (error) {
      if (error instanceof ServerRefused && error.code === 'run-unknown')
        throw new RunUnknown(runId);
      throw error;
    }
  };
  return {
    runId,
    state,
    watch: (onChange, options) => watchBy({ state, onChange }, { everyMs: LOOK_MS, ...options }),
  };
}

/** Says of a refusal what the caller can do about it. */
export function saidOfRefusal({ code, message, status }: ServerRefused): string {
  if (status === 401) return `${message}. Sign in again with: countersign login`;
  if (code === 'run-unknown')
    return `${message}, or it is not yours to see. See which are: countersign runs`;
  return `the server refused: ${message} (${code})`;
}

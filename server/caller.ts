import { accountOf } from '../store/accounts.js';
import type { AccountHolder } from '../store/accounts.js';
import type { Executor } from '../store/connect.js';
import type { Session } from '../store/sessions.js';
import { Problem } from './problem.js';
import type { VerifiedToken, VerifyToken } from './verify-token.js';

export type CallerKind = AccountHolder['kind'];

/** Who calls: the holder of the account that the token is of, by the register as it stands now. */
export interface Caller {
  readonly holder: AccountHolder;
  /** `person/p_ada`, `agent/launch-agent`, `service/s_shop`. */
  readonly name: string;
  readonly token: VerifiedToken;
}

/** @throws Problem 401 without a good token, 403 for an account that nobody holds or that may do nothing */
export async function callerOfRequest(
  db: Executor,
  verify: VerifyToken,
  authorization: string | undefined,
): Promise<Caller> {
  const [, bearer] = /^Bearer ([A-Za-z0-9._~+/=-]+)$/i.exec(authorization ?? '') ?? [];
  if (bearer === undefined)
    throw new Problem(401, 'token-missing', 'send an access token as Authorization: Bearer …', {
      'www-authenticate': 'Bearer',
    });
  const token = await verify(bearer);
  const holder = await accountOf(db, token.iss, token.sub);
  // guard: a good token of somebody whom the register does not know is nobody's.
  if (holder === undefined)
    throw new Problem(403, 'account-unknown', 'this account is linked to nobody here');
  if (holder.kind === 'person' && !holder.active)
    throw new Problem(403, 'account-off', 'this person is not active');
  // guard: a suspended or removed agent is heard no more, whatever token it still holds.
  if (holder.kind === 'agent' && holder.state !== 'active')
    throw new Problem(403, 'account-off', `this agent is ${holder.state}`);
  return { holder, name: nameOf(holder), token };
}

function nameOf(holder: AccountHolder): string {
  if (holder.kind === 'person') return `person/${holder.person}`;
  return holder.kind === 'agent' ? `agent/${holder.agent}` : `service/${holder.service}`;
}

/** The session of a person who has really signed in. @throws Problem 403 */
export function sessionOf({ holder, token }: Caller): Session & { readonly person: string } {
  if (holder.kind !== 'person' || token.signedInMs === undefined)
    throw new Problem(403, 'not-signed-in', 'only a person who has signed in may do this');
  return {
    sessionId: token.sessionId,
    person: holder.person,
    issuer: token.iss,
    subject: token.sub,
    signedInMs: token.signedInMs,
  };
}

/** The same, if they signed in lately: a sign-in that was renewed for days is somebody's who may have left it open. @throws Problem 403 */
export function freshSessionOf(
  caller: Caller,
  withinMs: number,
  nowMs: number,
): ReturnType<typeof sessionOf> {
  const session = sessionOf(caller);
  // guard: how old the sign-in itself is, not the token that was renewed since.
  if (nowMs - session.signedInMs > withinMs)
    throw new Problem(
      403,
      'session-too-old',
      `sign in again: for this a sign-in is at most ${withinMs / 60_000} minutes old`,
    );
  return session;
}

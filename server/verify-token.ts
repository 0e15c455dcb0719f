import { createHash } from 'node:crypto';
import { createRemoteJWKSet, customFetch, errors, jwtVerify } from 'jose';
import type { JWTPayload, JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import type { DocumentReader } from '../gateway/egress.js';
import { Failure } from '../domain/errors.js';
import { Problem } from './problem.js';

export interface TokenTrust {
  /** Exactly as they stand in tokens. */
  readonly issuers: readonly string[];
  /** Whom tokens have to be for: us. */
  readonly audience: string;
  readonly read: DocumentReader;
  /** Between two looks at an issuer's keys for one that is not known, in ms. */
  readonly keysEveryMs?: number;
  readonly nowMs?: () => number;
}

/** Who a verified token is of. Nothing in it says what they may do. */
export interface VerifiedToken {
  readonly iss: string;
  readonly sub: string;
  /** SHA-256, hex, over issuer, subject and the issuer's id of the session. */
  readonly sessionId: string;
  /** When a person really signed in, in ms; absent: nobody did. */
  readonly signedInMs?: number;
}

/** No symmetric algorithm and no `none`: with the former the public key would sign. */
const ALGORITHMS = ['ES256', 'ES384', 'EdDSA', 'PS256', 'RS256'];
const SKEW_S = 30;
/** However long an issuer would let one live: tokens are of minutes. In s. */
const LIFE_MAX_S = 3_600;
const KEYS_EVERY_MS = 30_000;
const TOKEN_CHARACTERS_MAX = 8 * 1_024;

const metadataSchema = z.object({ issuer: z.string(), jwks_uri: z.url() });
const claimsSchema = z.object({
  iss: z.string(),
  sub: z.string().min(1).max(255),
  iat: z.number(),
  exp: z.number(),
  jti: z.string().optional(),
  sid: z.string().optional(),
  auth_time: z.number().optional(),
});

export type VerifyToken = (token: string) => Promise<VerifiedToken>;

/** Verifies access tokens of the configured issuers. @throws Problem 401, one for all reasons; the reason is its cause */
export function createVerifier(trust: TokenTrust): VerifyToken {
  const keys = new Map(trust.issuers.map((issuer) => [issuer, keysOf(issuer, trust)]));
  return async (token) => {
    if (token.length > TOKEN_CHARACTERS_MAX) throw invalid('too long');
    const key = keys.get(issuerOf(token) ?? '');
    // guard: exactly a configured issuer, before any of its keys is asked for.
    if (key === undefined) throw invalid('of no issuer that is trusted here');
    try {
      const { payload } = await jwtVerify(token, key.find, {
        issuer: key.issuer,
        audience: trust.audience,
        algorithms: ALGORITHMS,
        // guard: an ID token tells a client who somebody is, and opens nothing.
        typ: 'at+jwt',
        clockTolerance: SKEW_S,
        maxTokenAge: LIFE_MAX_S,
        requiredClaims: ['sub', 'iat', 'exp'],
        currentDate: new Date((trust.nowMs ?? Date.now)()),
      });
      return tokenOf(payload);
    } catch (error) {
      if (error instanceof Failure)
        throw new Problem(503, 'issuer-unreachable', 'the issuer’s keys cannot be read now');
      if (error instanceof errors.JOSEError) throw invalid(error.code);
      throw error;
    }
  };
}

function tokenOf(payload: JWTPayload): VerifiedToken {
  const claims = claimsSchema.safeParse(payload);
  if (!claims.success || claims.data.exp - claims.data.iat > LIFE_MAX_S)
    throw invalid('claims of another form');
  const { auth_time: authTime, iss, jti, sid, sub } = claims.data;
  const session = JSON.stringify([iss, sub, sid ?? jti ?? authTime ?? 0]);
  return {
    iss,
    sub,
    sessionId: createHash('sha256').update(session).digest('hex'),
    ...(authTime === undefined ? {} : { signedInMs: authTime * 1_000 }),
  };
}

/** Unverified: it only says whose keys to try. */
function issuerOf(token: string): string | undefined {
  try {
    const payload: unknown = JSON.parse(
      Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'),
    );
    const parsed = z.object({ iss: z.string() }).safeParse(payload);
    return parsed.success ? parsed.data.iss : undefined;
  } catch {
    return undefined;
  }
}

interface IssuerKeys {
  readonly issuer: string;
  readonly find: JWTVerifyGetKey;
}

/** An issuer's keys, found by its own metadata, read through the one way out and kept for a while. */
function keysOf(issuer: string, { keysEveryMs = KEYS_EVERY_MS, read }: TokenTrust): IssuerKeys {
  let known: JWTVerifyGetKey | undefined;
  const find: JWTVerifyGetKey = async (header, token) => {
    known ??= createRemoteJWKSet(new URL(await keysAddress(issuer, read)), {
      cooldownDuration: keysEveryMs,
      [customFetch]: async (url) => Response.json(await read(url)),
    });
    return known(header, token);
  };
  return { issuer, find };
}

async function keysAddress(issuer: string, read: DocumentReader): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const metadata = metadataSchema.safeParse(await read(url));
  // guard: metadata that names another issuer would let it sign for this one.
  if (!metadata.success || metadata.data.issuer !== issuer)
    throw new Failure('OUTCOME_UNKNOWN', 'the issuer’s metadata is not its own');
  return metadata.data.jwks_uri;
}

/** All look alike to whoever holds the token; the log has the reason. */
function invalid(reason: string): Problem {
  const problem = new Problem(401, 'token-invalid', 'this token is not good here', {
    'www-authenticate': 'Bearer error="invalid_token"',
  });
  problem.cause = reason;
  return problem;
}

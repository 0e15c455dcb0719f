import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import type { CloudflareState } from './state.js';

const LIFE_S = 3600;

const claimsSchema = z.object({
  kind: z.enum(['upload', 'completion']),
  session: z.string(),
  account: z.string(),
  exp: z.number(),
  /** The sandbox's own credential of this upload: it leads the request to its world. */
  sandbox: z.string(),
});
export type UploadClaims = z.output<typeof claimsSchema>;

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function signature(state: CloudflareState, text: string): string {
  if (state.jwtSecret === '') state.jwtSecret = randomBytes(32).toString('hex');
  return createHmac('sha256', state.jwtSecret).update(text).digest('base64url');
}

/** A signed token good for an hour of the world's clock. */
export function signUpload(
  state: CloudflareState,
  claims: Omit<UploadClaims, 'exp'>,
  now: number,
): string {
  const exp = Math.floor(now / 1000) + LIFE_S;
  const text = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ ...claims, exp })}`;
  return `${text}.${signature(state, text)}`;
}

/** The claims without any proof: only good for finding the world. */
export function unverifiedClaims(jwt: string): UploadClaims | null {
  const payload = jwt.split('.')[1];
  if (payload === undefined) return null;
  try {
    const parsed = claimsSchema.safeParse(
      JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')),
    );
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

/** The claims of a token that this world signed and whose hour is not over, or null. */
export function verifyUpload(
  state: CloudflareState,
  jwt: string,
  now: number,
): UploadClaims | null {
  const [head, payload, mac] = jwt.split('.');
  if (head === undefined || payload === undefined || mac === undefined) return null;
  const right = Buffer.from(signature(state, `${head}.${payload}`));
  const given = Buffer.from(mac);
  if (right.length !== given.length || !timingSafeEqual(right, given)) return null;
  const claims = unverifiedClaims(jwt);
  return claims !== null && claims.exp * 1000 > now ? claims : null;
}

import { sql } from 'kysely';
import type { Executor } from './connect.js';

export interface Session {
  /** SHA-256, hex, over issuer, subject and the issuer's id of the session. */
  readonly sessionId: string;
  readonly person: string;
  readonly issuer: string;
  readonly subject: string;
  /** When the person really signed in, in ms. */
  readonly signedInMs: number;
}

/** Puts a person's session on record, once. */
export async function recordSession(tx: Executor, session: Session): Promise<void> {
  await tx
    .insertInto('sessions')
    .values({
      session_id: session.sessionId,
      person_id: session.person,
      issuer: session.issuer,
      subject: session.subject,
      signed_in_at: new Date(session.signedInMs),
    })
    .onConflict((conflict) => conflict.column('session_id').doNothing())
    .execute();
}

/** Writes a reject that a signed-in person said without a signature; false when these bytes are on record already. */
export async function insertSessionReject(
  tx: Executor,
  reject: {
    readonly digest: string;
    readonly gateId: string;
    readonly runId: string;
    readonly person: string;
    readonly sessionId: string;
    /** Canonical JSON of what was recorded. */
    readonly statement: string;
    readonly reason: string;
  },
): Promise<void> {
  await tx
    .insertInto('decisions')
    .values({
      digest: reject.digest,
      gate_id: reject.gateId,
      run_id: reject.runId,
      person_id: reject.person,
      key_id: null,
      decision: 'reject',
      statement: reject.statement,
      signature: null,
      accepted: true,
      reason: reject.reason,
      road: 'http',
      session_id: reject.sessionId,
      recorded_at: sql<Date>`countersign_now()`,
    })
    .execute();
}

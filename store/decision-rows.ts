import { sql } from 'kysely';
import type { GroupEvidence } from '../domain/group-evidence.js';
import type { AssertionFacts } from '../domain/webauthn.js';
import type { Executor } from './connect.js';
import type { Row } from './schema.js';

/** The decision of these very bytes, or of this statement under another spelling of its signature, if it was accepted before. */
export async function readDecisionRow(
  db: Executor,
  of: { readonly sha256: string; readonly statementSha256: string },
): Promise<Row<'decisions'> | undefined> {
  return db
    .selectFrom('decisions')
    .selectAll()
    .where((eb) =>
      eb.or([eb('digest', '=', of.sha256), eb('statement_digest', '=', of.statementSha256)]),
    )
    .executeTakeFirst();
}

/** Accepted decisions of a gate but those of keys that are compromised, in the order in which they were recorded. */
export async function decisionsStanding(db: Executor, gateId: string): Promise<Row<'decisions'>[]> {
  return db
    .selectFrom('decisions')
    .selectAll()
    .where('gate_id', '=', gateId)
    .where('accepted', '=', true)
    .where((eb) =>
      // guard: what a compromised key has said counts no more; a withdrawal only takes away.
      eb.or([
        eb('decision', '=', 'withdraw'),
        eb('key_id', 'is', null),
        eb(
          'key_id',
          'not in',
          eb.selectFrom('keys').select('keys.key_id').where('keys.revoked_as', '=', 'compromised'),
        ),
      ]),
    )
    .orderBy('recorded_at')
    .execute();
}

/** Has an effect used the grant of this gate? */
export async function isUsed(db: Executor, gateId: string): Promise<boolean> {
  const use = await db
    .selectFrom('grant_uses')
    .select('effect_id')
    .where('gate_id', '=', gateId)
    .limit(1)
    .executeTakeFirst();
  return use !== undefined;
}

/** Accepted decisions of a gate, in the order in which they were recorded. */
export async function decisionsOf(db: Executor, gateId: string): Promise<Row<'decisions'>[]> {
  return db
    .selectFrom('decisions')
    .selectAll()
    .where('gate_id', '=', gateId)
    .where('accepted', '=', true)
    .orderBy('recorded_at')
    .execute();
}

/** Writes an accepted decision: the whole message as received, in canonical form. */
export async function insertDecision(
  tx: Executor,
  decision: {
    readonly sha256: string;
    readonly gateId: string;
    readonly runId: string;
    readonly person: string;
    readonly keyId: string;
    readonly decision: 'approve' | 'reject' | 'withdraw';
    readonly message: string;
    readonly statementSha256: string;
    readonly signature: string;
    readonly reason: string | undefined;
    readonly road: Row<'decisions'>['road'];
    readonly evidence: readonly GroupEvidence[];
    readonly assertion: AssertionFacts | undefined;
  },
): Promise<void> {
  await tx
    .insertInto('decisions')
    .values({
      digest: decision.sha256,
      gate_id: decision.gateId,
      run_id: decision.runId,
      person_id: decision.person,
      key_id: decision.keyId,
      decision: decision.decision,
      statement: decision.message,
      signature: decision.signature,
      accepted: true,
      reason: decision.reason ?? null,
      road: decision.road,
      recorded_at: sql<Date>`countersign_now()`,
      statement_digest: decision.statementSha256,
      round: sql<number>`(select count(*) from decisions d where d.gate_id = ${decision.gateId}
        and d.person_id = ${decision.person} and d.accepted and d.decision = 'approve')`,
      evidence: JSON.stringify(decision.evidence),
      counter: decision.assertion?.counter ?? null,
      backup_eligible: decision.assertion?.backupEligible ?? null,
      backed_up: decision.assertion?.backedUp ?? null,
    })
    .execute();
}

/** How many refusals of this kind are on record for this run, and whether this very one is. */
export async function refusalsOf(
  db: Executor,
  of: {
    readonly runId: string;
    readonly asked: string;
    readonly reason: string;
    readonly detail: string;
  },
): Promise<{ readonly count: number; readonly same: boolean }> {
  const { count, same } = await db
    .selectFrom('refusals')
    .select([
      sql<number>`count(*)`.as('count'),
      sql<boolean>`coalesce(bool_or(detail = ${of.detail}), false)`.as('same'),
    ])
    .where('run_id', '=', of.runId)
    .where((eb) =>
      // A gate that is not there may bear any name: all of those count together.
      of.reason === 'gate-unknown' ? eb('reason', '=', of.reason) : eb('asked', '=', of.asked),
    )
    .executeTakeFirstOrThrow();
  return { count, same };
}

/** Open and granted gates of a run at which this person has approved. */
export async function approvedBy(
  db: Executor,
  runId: string,
  person: string,
): Promise<Row<'gates'>[]> {
  return db
    .selectFrom('gates')
    .selectAll()
    .where('run_id', '=', runId)
    .where('state', 'in', ['open', 'granted'])
    .where((eb) =>
      eb.exists(
        eb
          .selectFrom('decisions')
          .select('decisions.digest')
          .whereRef('decisions.gate_id', '=', 'gates.gate_id')
          .where('decisions.person_id', '=', person)
          .where('decisions.accepted', '=', true)
          .where('decisions.decision', '=', 'approve'),
      ),
    )
    .execute();
}

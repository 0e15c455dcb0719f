import { sql } from 'kysely';
import type { Executor } from './connect.js';
import { closeGate } from './gate-rows.js';
import { appendLog } from './log.js';
import { addNotice } from './notices.js';
import { lockFence } from './policies.js';

const now = sql<Date>`countersign_now()`;

export interface Revocation {
  readonly keyId: string;
  readonly as: 'retired' | 'compromised';
  readonly reason: string;
  /** Of a compromised key: since when somebody else may have used it; absent: ever. */
  readonly since?: Date;
  /** Who says so, where that is known. */
  readonly by?: string;
  /** Their signed word, in canonical form; absent: nobody signed, which only takes away. */
  readonly message?: string;
}

export interface Revoked {
  /** Granted gates that leaned on the key and are void now. */
  readonly voided: readonly string[];
  /** Cases that were opened over effects that its decisions have allowed. */
  readonly reviews: number;
}

/**
 * Revokes a key from now on: nothing that leans on it commits after this. A retired key leaves standing what was accepted
 * before; a compromised one takes every unused decision with it and opens a review of the used ones, also where it was
 * retired first. Undefined when it is unknown or revoked so already.
 */
export async function revokeKey(tx: Executor, of: Revocation): Promise<Revoked | undefined> {
  await lockFence(tx);
  const compromised = of.as === 'compromised';
  const gates = compromised ? await lockGatesOf(tx, of.keyId) : [];
  const changed = await tx
    .updateTable('keys')
    .set({
      revoked_at: sql<Date>`coalesce(revoked_at, ${now})`,
      revoked_as: of.as,
      ...(compromised ? { compromised_since: of.since ?? new Date(0) } : {}),
    })
    .where('key_id', '=', of.keyId)
    .where((eb) =>
      eb.or([
        eb('revoked_at', 'is', null),
        ...(compromised ? [eb('revoked_as', '=', 'retired' as const)] : []),
      ]),
    )
    .executeTakeFirst();
  if (changed.numUpdatedRows === 0n) return undefined;
  await tx
    .insertInto('key_revocations')
    .values({
      key_id: of.keyId,
      revoked_as: of.as,
      since: of.since ?? null,
      by: of.by ?? 'operator',
      reason: of.reason,
      message: of.message ?? null,
      recorded_at: now,
    })
    .execute();
  const reviews = compromised ? await openReviews(tx, of) : 0;
  await addNotice(tx, {
    kind: 'key-revoked',
    dedupe: `key-revoked:${of.keyId}:${of.as}`,
    payload: { keyId: of.keyId, as: of.as },
  });
  const voided: string[] = [];
  for (const gateId of gates)
    if (
      await closeGate(tx, {
        gateId,
        from: ['granted'],
        to: 'void',
        reason: `the key ${of.keyId} is compromised`,
        by: of.by ?? 'operator',
      })
    )
      voided.push(gateId);
  await appendLog(tx, {
    kind: 'key-revoked',
    payload: {
      keyId: of.keyId,
      as: of.as,
      reason: of.reason,
      by: of.by ?? 'operator',
      signed: of.message !== undefined,
      voided,
      reviews,
    },
  });
  return { voided, reviews };
}

/** Granted gates on which the key has approved and which still have an action that no effect has used; held. */
async function lockGatesOf(tx: Executor, keyId: string): Promise<string[]> {
  const { rows } = await sql<{ gate_id: string }>`
    select g.gate_id from gates g
     where g.state = 'granted'
       and exists (select 1 from decisions d where d.gate_id = g.gate_id and d.key_id = ${keyId}
                    and d.accepted and d.decision = 'approve')
       and (select count(*) from grant_uses u where u.gate_id = g.gate_id) < cardinality(g.actions)
     order by g.gate_id for update`.execute(tx);
  return rows.map(({ gate_id }) => gate_id);
}

/** A case for each effect that a decision of the key has allowed since then. */
async function openReviews(tx: Executor, of: Revocation): Promise<number> {
  const { rows } = await sql`
    select open_case(d.run_id, u.effect_id, 'key-compromised',
             'allowed by ' || d.person_id || ' with the key ' || d.key_id || ', which is compromised')
      from decisions d join grant_uses u on u.gate_id = d.gate_id
     where d.key_id = ${of.keyId} and d.accepted and d.decision = 'approve'
       and d.recorded_at >= ${of.since ?? new Date(0)}
     order by u.effect_id`.execute(tx);
  return rows.length;
}

import { sql } from 'kysely';
import { Failure } from '../domain/errors.js';
import { parseGateId } from '../domain/ids.js';
import type { GateId } from '../domain/ids.js';
import { overdueFacts } from '../domain/policy/review.js';
import type { Policy } from '../domain/policy/schema.js';
import { databaseNow } from '../store/clock.js';
import type { Database, Executor } from '../store/connect.js';
import { tellOfGate } from '../store/gate-notices.js';
import { closeGate, lockGate } from '../store/gate-rows.js';
import { appendLog } from '../store/log.js';
import type { Row } from '../store/schema.js';
import type { Pins } from './believed.js';
import { policyInForce } from './policy.js';

export interface OpenMoments {
  readonly gate: Row<'gates'>;
  readonly remainingMs: number;
  /** Until the next moment of this gate: its reminder, its escalation or its end. */
  readonly nextMs: number;
}

/**
 * Passes every moment of an open gate that has come by the database's clock, whoever asks and however late: the
 * reminder, the escalation, the end. Undefined when the gate is not open, or not any more.
 */
export async function passMoments(
  pins: Pins & { readonly db: Database },
  gateId: GateId,
): Promise<OpenMoments | undefined> {
  return pins.db.transaction().execute(async (tx) => {
    const gate = await lockGate(tx, gateId);
    if (gate?.state !== 'open') return undefined;
    const nowMs = (await databaseNow(tx)).getTime();
    const remainingMs = gate.expires_at.getTime() - nowMs;
    if (remainingMs <= 0) {
      // Whoever was not reminded in time is not reminded afterwards: there is nothing left to decide.
      const [from, to] = [['open'] as const, 'expired'] as const;
      await closeGate(tx, { gateId, from, to, reason: 'nobody answered in time', by: 'clock' });
      return undefined;
    }
    const due = MOMENTS.filter(({ at, told }) => {
      const moment = gate[at];
      return moment !== null && gate[told] === null && moment.getTime() <= nowMs;
    });
    if (due.length > 0) await tell(tx, pins, { gate, due, nowMs });
    const ahead = MOMENTS.flatMap(({ at, told }) => {
      const moment = gate[at];
      return moment === null || gate[told] !== null || moment.getTime() <= nowMs
        ? []
        : [moment.getTime() - nowMs];
    });
    return { gate, remainingMs, nextMs: Math.min(remainingMs, ...ahead) };
  });
}

const MOMENTS = [
  { at: 'remind_at', told: 'reminded_at', kind: 'gate-reminder' },
  { at: 'escalate_at', told: 'escalated_at', kind: 'gate-escalated' },
] as const;

/** Writes what is due on the row and into the outbox, in the order of their moments, once each. */
async function tell(
  tx: Executor,
  pins: Pins,
  {
    due,
    gate,
    nowMs,
  }: {
    readonly gate: Row<'gates'>;
    readonly due: readonly (typeof MOMENTS)[number][];
    readonly nowMs: number;
  },
): Promise<void> {
  const { policy } = await policyInForce(tx, pins);
  for (const { told } of due)
    await tx
      .updateTable('gates')
      .set({ [told]: sql<Date>`countersign_now()` })
      .where('gate_id', '=', gate.gate_id)
      .execute();
  for (const { kind } of due)
    await tellOfGate(tx, kind, gate, {
      ...overdueFacts(policy, nowMs),
      ...(kind === 'gate-escalated' ? escalatedTo(policy) : {}),
    });
  for (const { kind } of due)
    await appendLog(tx, { kind, runId: gate.run_id, payload: { gateId: gate.gate_id } });
}

const escalatedTo = ({ escalation }: Policy): Readonly<Record<string, unknown>> =>
  escalation === undefined
    ? {}
    : {
        to: escalation.to,
        ...(escalation.note === undefined ? {} : { policyNote: escalation.note }),
      };

/** Open gates of which a moment has come that nobody has passed: runs whose worker is away, or is late. */
export async function gatesDue(db: Executor): Promise<GateId[]> {
  const rows = await db
    .selectFrom('gates')
    .select('gate_id')
    .where('state', '=', 'open')
    .where(
      sql<boolean>`(expires_at <= countersign_now()
        or (remind_at <= countersign_now() and reminded_at is null)
        or (escalate_at <= countersign_now() and escalated_at is null))`,
    )
    .orderBy('opened_at')
    .limit(500)
    .execute();
  return rows.flatMap(({ gate_id }) => parseGateId(gate_id)?.gateId ?? []);
}

/** Passes the moments of every open gate. Without a policy in force nobody is told; what has ended ends all the same. */
export async function sweepGates(parts: Pins & { readonly db: Database }): Promise<void> {
  for (const gateId of await gatesDue(parts.db)) {
    try {
      await passMoments(parts, gateId);
    } catch (error) {
      // No policy says whom to tell: the moment stays due, and the next sweep tries again.
      if (!(error instanceof Failure)) throw error;
    }
  }
}

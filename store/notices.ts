import { sql } from 'kysely';
import type { NoticeKind } from '../domain/notices.js';
import type { Executor } from './connect.js';

export interface Notice {
  /** Policy chooses by it who is told. */
  readonly kind: NoticeKind;
  /** Names the thing told, for ever: `gate-opened:<gateId>`. Told once. */
  readonly dedupe: string;
  readonly runId?: string;
  /** Ids, amounts in minor units, instants; never a secret, an address or an agent's words. */
  readonly payload: Readonly<Record<string, unknown>>;
}

/** Puts a notice into the outbox, in the transaction of what it tells of; one of the same name is left as it is. */
export async function addNotice(tx: Executor, notice: Notice): Promise<void> {
  const { dedupe, kind, payload, runId } = notice;
  await sql`select notice_add(${kind}, ${dedupe}, ${runId ?? null}::text, ${JSON.stringify(payload)}::jsonb)`.execute(
    tx,
  );
}

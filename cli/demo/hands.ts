import { generateKeyPairSync, sign } from 'node:crypto';
import type { CountersignClient } from '../../client/client.js';
import { signDecision, signResume, verifyGate, type VerifiedGate } from '../../client/decision.js';
import type { SigningKey } from '../../client/keys.js';
import type { DecideMessage } from '../../domain/documents.js';
import { parseInstance } from '../../domain/ids.js';
import { keyIdOf } from '../../domain/signature.js';
import { PLAIN_TRUST } from '../../domain/trust.js';
import type { StopRecord } from '../../gateway/door-contract.js';
import { createDoor } from '../../gateway/door.js';
import { liftFence } from '../../gateway/lift-fence.js';
import { stop } from '../../gateway/stop.js';
import { databaseNow } from '../../store/clock.js';
import type { Database } from '../../store/connect.js';
import { openGates } from '../../store/inbox.js';
import { openRunsUnder } from '../../store/overview.js';
import { eventually, StoryFailed } from './eventually.js';

/** What the people of the demo do: read a card, sign over it, stop everything, and lift the stop. */
export const APPROVER = 'p_approver';

export interface Hands {
  readonly db: Database;
  readonly instance: string;
  /** The approver's. */
  readonly key: SigningKey;
}

/** A key that is in no file: it ends with this process. */
export function throwAwayKey(): SigningKey {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
  return {
    keyId: keyIdOf(raw),
    publicKey: raw.toString('base64url'),
    sign: (bytes) => sign(null, bytes, privateKey).toString('base64url'),
  };
}

/** Waits until the gate is open; its documents as a person gets to see them, digests computed here. */
export async function cardOf(
  { db, instance }: Hands,
  of: { readonly runId: string; readonly gate: string; readonly revision: number },
) {
  const row = await eventually(`the gate ${of.gate} of ${of.runId}`, async () => {
    const open = (await openGates(db, of.runId)).find(
      ({ gate, revision }) => gate === of.gate && revision >= of.revision,
    );
    if (open === undefined) await refuseEnded(db, of);
    return open;
  });
  return verifyGate(row, instance);
}

/** A run that has ended opens no gate any more. */
async function refuseEnded(
  db: Database,
  { runId, gate }: { readonly runId: string; readonly gate: string },
): Promise<void> {
  const run = await db
    .selectFrom('runs')
    .select(['end_phase', 'end_why'])
    .where('run_id', '=', runId)
    .executeTakeFirst();
  if (run?.end_phase !== undefined && run.end_phase !== null)
    throw new StoryFailed(
      `run ${runId} ended ${run.end_phase} before its gate ${gate}: ${run.end_why ?? ''}`,
    );
}

/** A decision over what was shown, signed by the approver. */
export async function decision(
  { db, key }: Hands,
  verified: VerifiedGate,
  made: 'approve' | 'reject',
  reason?: string,
): Promise<DecideMessage> {
  const decidedAt = (await databaseNow(db)).toISOString();
  return signDecision(
    verified,
    {
      decision: made,
      approver: APPROVER,
      surface: 'cli',
      decidedAt,
      ...(reason === undefined ? {} : { reason }),
    },
    key,
  );
}

/** Lifts a stop over everything, signed by the approver. */
export async function resumeAll({ db, instance, key }: Hands): Promise<void> {
  const message = signResume(
    {
      instance,
      scope: 'all',
      by: APPROVER,
      reason: 'the demo goes on',
      at: (await databaseNow(db)).toISOString(),
    },
    key,
  );
  const answer = await liftFence(
    { db, door: createDoor(db), instance: parseInstance(instance), trust: PLAIN_TRUST },
    message,
  );
  if (!answer.lifted) throw new StoryFailed(`the stop was not lifted: ${answer.reason}`);
}

/** What `countersign stop --all` does: fences everything, then tells each run. */
export async function stopAll(
  { db }: Hands,
  client: CountersignClient,
  reason: string,
): Promise<StopRecord> {
  const door = createDoor(db);
  const by = 'the demo';
  await stop({ db, door }, { scope: 'all', reason, by, proven: false, mode: 'unwind' });
  for (const { run_id: runId } of await openRunsUnder(db, 'all'))
    await client.run(runId).stop({ mode: 'unwind', reason, by });
  return eventually('the stop to be drained', async () => {
    const record = await door.drained('all');
    return record.drainedAt === undefined ? undefined : record;
  });
}

import { type ResumeMessage, resumeMessageSchema } from '../domain/documents.js';
import { Failure } from '../domain/errors.js';
import type { RunId } from '../domain/ids.js';
import type { Policy } from '../domain/policy/schema.js';
import type { Executor } from '../store/connect.js';
import type { Lift } from '../store/lifts.js';
import { recordRefusal } from '../store/refusals.js';
import { policyVersion } from '../store/policies.js';
import type { Effect } from './effect.js';
import type { Parts } from './parts.js';
import { believedPolicy } from './policy.js';
import { remembering } from './remembered.js';
import { orderDigestOf, readMessage } from './signed.js';
import { stop } from './stop.js';
import { stoodThen } from './stored-order.js';

/** Lifts that were proved by this process. */
const proved = remembering(2_000);

/**
 * Looks at every lifted stop that would cover an effect. The database cannot check a signature, so whoever can write to it
 * could lift a stop: a lift whose word does not stand, verified from its stored bytes, is no lift. The stop is set anew,
 * and nothing is sent. @throws FENCED
 */
export async function refuseUnsignedLifts(
  parts: Parts,
  {
    effect,
    runId,
    lifts,
  }: {
    readonly runId: RunId;
    readonly effect: Effect;
    /** Those that would cover it. */
    readonly lifts: readonly Lift[];
  },
): Promise<void> {
  for (const lift of lifts) {
    const { rootKeys } = parts.trust;
    const name = [parts.instance, lift.stopId, lift.statement, lift.lostKeys, ...rootKeys].join();
    if (await proved(name, () => isSigned(parts, lift))) continue;
    const { mode, scope } = lift;
    const detail = `the stop over ${scope} was lifted without a signature that counts`;
    await recordRefusal(parts.db, { runId, asked: 'resume', reason: 'lift-unsigned', detail });
    await stop(parts, { scope, mode, reason: detail, by: 'gateway', proven: true });
    throw new Failure('FENCED', `${effect.step}: ${detail}`, { step: effect.step });
  }
}

async function isSigned(parts: Parts, lift: Lift): Promise<boolean> {
  const message = messageOf(lift);
  if (message === undefined || lift.policyVersion === null) return false;
  if (message.scope !== lift.scope || orderDigestOf(message) !== lift.statement) return false;
  const policy = await policyOf(parts.db, parts, lift.policyVersion);
  return stoodThen(parts.db, parts, message, {
    at: lift.liftedAt,
    since: lift.fencedAt,
    policy,
  });
}

function messageOf({ message }: Lift): ResumeMessage | undefined {
  if (message === null) return undefined;
  try {
    return resumeMessageSchema.safeParse(readMessage(message).value).data;
  } catch {
    return undefined;
  }
}

async function policyOf(
  db: Executor,
  pins: Pick<Parts, 'instance' | 'trust'>,
  version: number,
): Promise<Policy | undefined> {
  try {
    return (await believedPolicy(db, pins, await policyVersion(db, version))).policy;
  } catch (error) {
    if (error instanceof Failure && error.code === 'POLICY_MISSING') return undefined;
    throw error;
  }
}

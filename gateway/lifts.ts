import type { ResumeMessage } from '../domain/documents.js';
import { Failure } from '../domain/errors.js';
import { instantToMs } from '../domain/instant.js';
import type { RunId } from '../domain/ids.js';
import type { Policy } from '../domain/policy/schema.js';
import type { Executor } from '../store/connect.js';
import type { Lift } from '../store/lifts.js';
import { recordRefusal } from '../store/refusals.js';
import { policyVersion, policyVersionAt } from '../store/policies.js';
import type { Effect } from './effect.js';
import { liftStanding, liftWordIn } from './lift-words.js';
import type { Parts } from './parts.js';
import { believedPolicy } from './policy.js';
import { remembering } from './remembered.js';
import { orderDigestOf } from './signed.js';
import { stop } from './stop.js';

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
  const { liftedAt: at, policyVersion, scope, statement, stopId } = lift;
  if (policyVersion === null) return false;
  const policy = await policyOf(parts.db, parts, policyVersion);
  const { missing, words } = await liftStanding(parts.db, parts, wordsOf(lift), {
    ...{ stopId, scope, since: lift.fencedAt, at, policy },
  });
  if (missing !== undefined || !words.some((word) => orderDigestOf(word) === statement))
    return false;
  // guard: an older policy may have asked for fewer words; the one in force when the last of them was said counts at least.
  const saidMs = Math.max(...words.map((word) => instantToMs(word.at) ?? 0));
  const said = new Date(Math.min(saidMs, at.getTime()));
  return policyVersion >= (await policyVersionAt(parts.db, said));
}

/** Every word that stands beside the lift and can be read. */
const wordsOf = ({ message }: Lift): readonly ResumeMessage[] =>
  (message ?? '').split('\n').flatMap((text) => liftWordIn(text) ?? []);

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

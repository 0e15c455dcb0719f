import { signRevoke } from '../../client/decision.js';
import { UsageError } from '../../config/errors.js';
import { instantToMs } from '../../domain/instant.js';
import { revokeSigned } from '../../gateway/revoke-key.js';
import { databaseNow } from '../../store/clock.js';
import { revokeKey, type Revoked } from '../../store/revocation.js';
import { unlocked } from '../approver.js';
import type { Context } from '../context.js';
import { EXIT, Explanation } from '../explain.js';
import { refusalWords } from '../refusal-words.js';
import { ceremonyOf } from '../ceremony.js';

interface RevokeOptions {
  readonly reason: string;
  readonly compromised?: boolean;
  readonly since?: string;
  readonly key?: string;
}

/** `keys revoke KEYID`: ends a key, by a signed word where a key file is named. */
export async function keysRevoke(
  context: Context,
  keyId: string,
  options: RevokeOptions,
): Promise<0> {
  const as = options.compromised === true ? 'compromised' : 'retired';
  const since = sinceOf(options);
  const revoked = await (options.key === undefined
    ? unsigned(context, { keyId, as, since, reason: options.reason })
    : signedBy(context, options.key, { keyId, as, since, reason: options.reason }));
  context.print({ keyId, revokedAs: as, signed: options.key !== undefined, ...revoked }, [
    `The key ${keyId} is revoked (${as}).`,
    ...revoked.voided.map((gateId) => `${gateId} leaned on it and is void.`),
    ...(revoked.reviews === 0
      ? []
      : [`Cases to look into: ${revoked.reviews}. See: countersign cases list`]),
  ]);
  return 0;
}

interface Ending {
  readonly keyId: string;
  readonly as: 'retired' | 'compromised';
  readonly since: string | undefined;
  readonly reason: string;
}

async function unsigned(context: Context, { since, ...of }: Ending): Promise<Revoked> {
  const db = await context.database();
  const from = since === undefined ? {} : { since: new Date(since) };
  const revoked = await db.transaction().execute((tx) => revokeKey(tx, { ...of, ...from }));
  if (revoked !== undefined) return revoked;
  throw unknownKey(of.keyId);
}

async function signedBy(
  context: Context,
  file: string,
  { as, keyId, reason, since }: Ending,
): Promise<Revoked> {
  const { personId, key } = await unlocked(
    context,
    file,
    `This ends the key ${JSON.stringify(keyId.slice(0, 80))} for ever (${as}).`,
  );
  const message = signRevoke(
    {
      instance: await context.instance(),
      revokes: keyId,
      as,
      ...(since === undefined ? {} : { since }),
      by: personId,
      reason,
      at: (await databaseNow(await context.database())).toISOString(),
    },
    key,
  );
  const answer = await revokeSigned(await ceremonyOf(context), message);
  if (answer.revoked) return answer.what;
  if (['nothing-to-revoke', 'revoked-already', 'malformed'].includes(answer.reason))
    throw unknownKey(keyId);
  throw new Explanation({
    message: `nothing was changed: ${refusalWords(answer.reason)}`,
    exitCode: EXIT.otherwise,
    code: 'REFUSED',
  });
}

const unknownKey = (keyId: string): UsageError =>
  new UsageError({
    what: `no key ${JSON.stringify(keyId.slice(0, 80))} is enrolled, or it was revoked before`,
    remedy: 'See which there are: countersign people',
  });

function sinceOf(options: RevokeOptions): string | undefined {
  if (options.since === undefined) return undefined;
  const isInstant = instantToMs(options.since) !== undefined;
  if (isInstant && options.compromised === true) return options.since;
  throw new UsageError(
    isInstant
      ? {
          what: '--since says when a key was lost, and this one is retired',
          remedy: 'Add --compromised',
        }
      : {
          what: `--since ${JSON.stringify(options.since.slice(0, 60))} is no instant`,
          remedy: 'Write it as 2026-11-21T09:00:00.000Z',
        },
  );
}

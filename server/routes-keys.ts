import { z } from 'zod';
import { approveEnrolMessageSchema, enrolMessageSchema } from '../domain/key-statements.js';
import { keyAdministrators } from '../domain/policy/activation.js';
import { groupsOf } from '../domain/register.js';
import { approveEnrolment, requestEnrolment } from '../gateway/enrol-key.js';
import type { EnrolVerdict } from '../gateway/enrol-key.js';
import { policyInForce } from '../gateway/policy.js';
import { readRegister } from '../gateway/roles.js';
import { waitingEnrolments } from '../store/key-rows.js';
import type { Row } from '../store/schema.js';
import { freshSessionOf, sessionOf } from './caller.js';
import { Problem } from './problem.js';
import type { Answer, Asked, Handler } from './routes.js';
import { bodyAs } from './routes-runs.js';

/** A key is enrolled in a sign-in that is no older than this. In ms. */
const SIGN_IN_MAX_MS = 5 * 60_000;

/**
 * What a page needs for a ceremony: whose keys are there, where passkeys sign, what waits. It draws the nonce and hashes
 * the statements by itself.
 */
export const getKeys: Handler = async (asked) => {
  const { instance, db, trust } = asked.parts.gateway;
  const { person } = sessionOf(asked.caller);
  const keys = await db
    .selectFrom('keys')
    .select(['key_id', 'algorithm', 'label', 'credential_id', 'active_from', 'revoked_at'])
    .where('person_id', '=', person)
    .execute();
  const waiting = await waitingEnrolments(db);
  const admits = await admitsKeys(asked, person);
  return {
    status: 200,
    json: {
      instance,
      person,
      relyingParty: trust.relyingParty ?? null,
      keys: keys.map((key) => ({
        keyId: key.key_id,
        algorithm: key.algorithm,
        label: key.label,
        credentialId: key.credential_id,
        activeFrom: key.active_from.toISOString(),
        revoked: key.revoked_at !== null,
      })),
      waiting: waiting.filter((row) => admits || row.person_id === person).map(waitingOf),
    },
  };
};

const waitingOf = (row: Row<'key_enrolments'>) => ({
  enrolment: row.enrolment,
  person: row.person_id,
  keyId: row.key_id,
  // The very bytes: whoever admits the key hashes them for themselves.
  message: row.message,
});

async function admitsKeys({ parts }: Asked, person: string): Promise<boolean> {
  const { gateway } = parts;
  const { db } = gateway;
  const { policy } = await policyInForce(db, gateway);
  const known = (await readRegister(db, { persons: [person], keys: [] })).person(person);
  const groups = known === undefined ? [] : groupsOf(known, policy);
  return (keyAdministrators(policy) ?? []).some((group) => groups.includes(group));
}

/** A new key's own signed statement; it counts once others have admitted it. */
export const postKey: Handler = async (asked) => {
  const session = freshSessionOf(asked.caller, SIGN_IN_MAX_MS, asked.parts.nowMs());
  const message = bodyAs(enrolMessageSchema, asked);
  // guard: nobody brings a key for somebody else.
  if (message.person !== session.person)
    throw new Problem(403, 'person-foreign', 'this key is another person’s than the one signed in');
  const { gateway } = asked.parts;
  return answerOf(201, await requestEnrolment(gateway, { message, name: '', groups: [] }));
};

/** One administrator's signed word for a key that waits. */
export const postKeyApproval: Handler = async (asked) => {
  const session = sessionOf(asked.caller);
  const message = bodyAs(approveEnrolMessageSchema, asked);
  // guard: somebody else's signed word is theirs to send.
  if (message.by !== session.person)
    throw new Problem(403, 'approver-foreign', 'this is no word of the one who signed in');
  if (message.enrolment !== asked.path['enrolment'])
    throw new Problem(400, 'enrolment-mismatch', 'the statement names another enrolment');
  return answerOf(200, await approveEnrolment(asked.parts.gateway, message));
};

const reasonSchema = z.string().regex(/^[a-z0-9-]{1,60}$/);

function answerOf(status: number, verdict: EnrolVerdict): Answer {
  if (verdict.accepted) {
    const { enrolment, missing } = verdict;
    return { status, json: { enrolment, missing } };
  }
  const reason = reasonSchema.catch('refused').parse(verdict.reason);
  throw new Problem(409, reason, 'the statement does not count');
}

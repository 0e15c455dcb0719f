import { randomBytes } from 'node:crypto';
import { encodeBase64url } from '../../domain/base64url.js';
import type { ResumeMessage } from '../../domain/documents.js';
import type { Policy } from '../../domain/policy/schema.js';
import { policyDigestOf } from '../../domain/policy/schema.js';
import { publicKeyOf, signStatement } from '../../domain/signature.js';
import { activateSigned, type Activation } from '../../gateway/activate-policy.js';
import { approveEnrolment, requestEnrolment } from '../../gateway/enrol-key.js';
import { liftFence } from '../../gateway/lift-fence.js';
import type { Parts } from '../../gateway/parts.js';
import { databaseNow } from '../../store/clock.js';
import { currentPolicy } from '../../store/policies.js';
import type { House } from './house.js';
import { type Signer, signer } from './people.js';

/** What persons sign about keys, policies and stops, and roots that all of it leads to. */

type Change = Readonly<Record<string, unknown>>;

export async function signedBy(
  house: House,
  by: Signer,
  type: string,
  members: Change,
): Promise<object> {
  const statement = {
    type,
    instance: house.instance,
    by: by.person,
    keyId: by.keyId,
    reason: 'a reason',
    at: (await databaseNow(house.db)).toISOString(),
    ...members,
  };
  return { ...statement, signature: signStatement(statement, by.seed) };
}

/** Lifts a stop as a person does: by a signed word, which is looked at again before anything is sent. */
export async function liftedBySignature(house: House, scope = 'all'): Promise<void> {
  const message = await signedBy(house, house.ada, 'countersign.resume.v1', { scope });
  const answer = await liftFence(house.parts, message as ResumeMessage);
  if (!answer.lifted) throw new Error(`the stop over ${scope} was not lifted: ${answer.reason}`);
}

export async function enrolOf(house: House, of: Signer, change: Change = {}): Promise<object> {
  const statement = {
    type: 'countersign.enrol.v1',
    instance: house.instance,
    person: of.person,
    keyId: of.keyId,
    alg: 'ed25519',
    publicKey: encodeBase64url(publicKeyOf(of.seed)),
    label: 'a key',
    nonce: randomBytes(16).toString('hex'),
    enrolledAt: (await databaseNow(house.db)).toISOString(),
    ...change,
  };
  return { ...statement, signature: signStatement(statement, of.seed) };
}

/** A word for a key; `unsaid`: it names no groups. */
export const approvalOf = (
  house: House,
  enrolment: string,
  by: Signer,
  groups: readonly string[] | 'unsaid' = ['approvers'],
): Promise<object> =>
  signedBy(house, by, 'countersign.approve-enrol.v1', {
    enrolment,
    ...(groups === 'unsaid' ? {} : { groups }),
  });

/** Asks for a key; answers the enrolment. */
export async function asked(house: House, where: Parts, of: Signer): Promise<string> {
  const answer = await requestEnrolment(where, {
    message: await enrolOf(house, of),
    name: of.person,
    groups: ['approvers'],
  });
  if (!answer.accepted) throw new Error(answer.reason);
  return answer.enrolment;
}

export const policyWord = (
  house: House,
  by: Signer,
  of: { readonly policy: Policy; readonly version: number },
): Promise<object> =>
  signedBy(house, by, 'countersign.policy.v1', {
    policyDigest: policyDigestOf(of.policy),
    version: of.version,
  });

/** Puts a policy in force as the next version, on the word of these. */
export async function activatedBy(
  house: House,
  where: Parts,
  policy: Policy,
  by: readonly Signer[],
): Promise<Activation> {
  const version = ((await currentPolicy(house.db))?.version ?? 0) + 1;
  const words = await Promise.all(by.map((one) => policyWord(house, one, { policy, version })));
  return activateSigned(where, policy, words);
}

export interface Rooted {
  readonly parts: Parts;
  readonly roots: readonly [Signer, Signer];
}

/** Parts of the house under two pinned roots, each of a person who is enrolled. */
export async function pinned(house: House, names = ['p_root_a', 'p_root_b']): Promise<Rooted> {
  const roots = [signer(names[0] ?? ''), signer(names[1] ?? '')] as const;
  const trust = { ...house.parts.trust, rootKeys: roots.map(({ keyId }) => keyId) };
  const parts = { ...house.parts, trust };
  for (const root of roots) await asked(house, parts, root);
  return { parts, roots };
}

/** The same, with a policy that both have put in force. */
export async function rooted(house: House, policy: Policy): Promise<Rooted> {
  const found = await pinned(house);
  const answer = await activatedBy(house, found.parts, policy, found.roots);
  if (!answer.activated) throw new Error(`${answer.reason}: ${answer.detail}`);
  return found;
}

/** Another person's key, admitted by two. */
export async function admittedKey(
  house: House,
  where: Parts,
  of: Signer,
  by: readonly Signer[],
): Promise<void> {
  const enrolment = await asked(house, where, of);
  for (const one of by) await approveEnrolment(where, await approvalOf(house, enrolment, one));
}

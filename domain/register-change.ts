import { z } from 'zod';
import {
  instanceSchema,
  instantSchema,
  keyIdSchema,
  personIdSchema,
  signable,
} from './documents.js';
import { decodeBase64url } from './base64url.js';
import { publicKeyProblem } from './signature.js';
import { EFFECT_STEPS, ENVIRONMENTS } from './steps.js';

/** Changes of the register that give power: who signs each is gateway/change-register.ts. What only takes away needs no signature. */

const agent = z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/);
const iss = z.string().regex(/^https?:\/\/[^\s]{1,500}$/);
const sub = z.string().regex(/^[\x21-\x7e]{1,255}$/);
const service = z.string().regex(/^s_[a-z0-9][a-z0-9_-]{0,62}$/);
/** Allow-lists: empty allows nothing, `*` any. */
const listOf = (id: z.ZodType<string>) => z.array(z.union([z.literal('*'), id])).max(100);
const isSound = (text: string): boolean => {
  const raw = decodeBase64url(text);
  return raw !== undefined && publicKeyProblem(raw) === undefined;
};
const principals = listOf(z.string().regex(/^pr_[a-z0-9]{1,62}$/));
const environments = listOf(z.enum(ENVIRONMENTS));
export const delegationIdSchema = z.string().regex(/^d_[0-9a-f]{16}$/);

export const changeSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('add-person'),
    person: personIdSchema,
    name: z.string().min(1).max(80),
    groups: z.array(z.string().regex(/^[a-z][a-z0-9-]{0,40}$/)).max(20),
  }),
  z.strictObject({ kind: z.literal('reactivate-person'), person: personIdSchema }),
  z.strictObject({
    kind: z.literal('link-account'),
    iss,
    sub,
    holder: z.union([
      z.strictObject({ person: personIdSchema }),
      z.strictObject({ agent }),
      z.strictObject({ service }),
    ]),
  }),
  z.strictObject({ kind: z.literal('add-agent'), agent, owner: personIdSchema }),
  z.strictObject({ kind: z.literal('resume-agent'), agent }),
  /** After `agents off`. */
  z.strictObject({ kind: z.literal('turn-on-agent'), agent }),
  z.strictObject({ kind: z.literal('own-agent'), agent, owner: personIdSchema }),
  z.strictObject({ kind: z.literal('rotate-agent'), agent, iss, sub }),
  /** What it may ask for by its own token, and for which agents it may say that it acts: the whole lists. */
  z.strictObject({
    kind: z.literal('allow-agent'),
    agent,
    principals,
    environments,
    via: z.array(agent).max(100),
  }),
  z.strictObject({
    kind: z.literal('add-service'),
    service,
    /** Raw Ed25519 public key, base64url. */
    publicKey: z.string().max(100).refine(isSound, 'no key that signatures may be checked with'),
    agents: listOf(agent),
    principals,
    environments,
  }),
  z.strictObject({
    kind: z.literal('delegate'),
    delegation: delegationIdSchema,
    agent,
    steps: z
      .array(z.enum(['*', ...EFFECT_STEPS]))
      .min(1)
      .max(20),
    ceilingMinor: z.int().min(0),
    currency: z.string().regex(/^[A-Z]{3}$/),
    until: instantSchema,
  }),
]);
export type RegisterChange = z.infer<typeof changeSchema>;

const forms = signable({
  type: z.literal('countersign.register.v1'),
  instance: instanceSchema,
  change: changeSchema,
  by: personIdSchema,
  keyId: keyIdSchema,
  at: instantSchema,
});
export const registerStatementSchema = forms.statement;
export type RegisterStatement = z.infer<typeof registerStatementSchema>;
export const registerMessageSchema = forms.message;
export type RegisterMessage = z.infer<typeof registerMessageSchema>;

/** Whom a change is about: they do not sign it alone. */
export function personConcerned(change: RegisterChange): string | undefined {
  switch (change.kind) {
    case 'add-person':
    case 'reactivate-person':
      return change.person;
    case 'link-account':
      return 'person' in change.holder ? change.holder.person : undefined;
    default:
      return undefined;
  }
}

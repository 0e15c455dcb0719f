import { z } from 'zod';
import { instantToMs } from './instant.js';
import { EFFECT_STEPS, ENVIRONMENTS, STEPS } from './steps.js';
import { countCharacters } from './text.js';

/** Shapes of everything that is digested or signed (docs/protocol.md). Strict: an unknown member is refused. */

/** Up to 2,000 characters, counted as code points: zod's own `max` counts UTF-16 units. */
const anyText = z
  .string()
  .refine((value) => countCharacters(value) <= 2_000, 'at most 2,000 characters');
const text = anyText.min(1);
export const digestSchema = z.string().regex(/^sha256:[0-9a-f]{64}$/);
export const instantSchema = z
  .string()
  .refine((value) => instantToMs(value) !== undefined, 'a UTC instant with milliseconds');
export const instanceSchema = z.string().regex(/^[0-9a-f]{32}$/);
export const runIdSchema = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/);
export const gateIdSchema = z
  .string()
  .regex(/^provision\/[a-z0-9][a-z0-9-]{0,62}:[a-z][a-z-]{0,40}:[1-9][0-9]{0,5}$/);
export const personIdSchema = z.string().regex(/^p_[a-z0-9][a-z0-9_-]{0,62}$/);
export const keyIdSchema = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
const minor = z.int().min(0);
const currency = z.string().regex(/^[A-Z]{3}$/);

/** A value that an earlier step will produce; the gateway fills it from that step's settled row. */
export const referenceSchema = z.strictObject({ fromStep: z.enum(EFFECT_STEPS), field: text });
export type Reference = z.infer<typeof referenceSchema>;

type Param = string | boolean | number | Param[] | { [name: string]: Param };
export type Params = Record<string, Param>;
const paramSchema: z.ZodType<Param> = z.lazy(() =>
  z.union([anyText, z.boolean(), z.int(), z.array(paramSchema), paramsSchema]),
);
export const paramsSchema: z.ZodType<Params> = z.record(
  z.string().regex(/^[A-Za-z][A-Za-z0-9_]*$/),
  paramSchema,
);

/** Exactly what will be sent, less our own marker. Its digest is what a gate lists and a grant covers. */
export const actionSchema = z.strictObject({
  type: z.literal('countersign.action.v1'),
  instance: instanceSchema,
  environment: z.enum(ENVIRONMENTS),
  runId: runIdSchema,
  step: z.enum(EFFECT_STEPS),
  provider: z.enum(['stripe', 'cloudflare']),
  /** The provider account charged; `stripe` is the platform's own, `cloudflare` our credential's where the action makes an account. */
  account: z.union([text, referenceSchema]),
  operation: text,
  params: paramsSchema,
  costMaxMinor: minor,
  currency,
  reversal: z.enum(['compensate', 'mitigate', 'none']),
  residue: z.strictObject({ minor, text: anyText }),
  effectKey: text,
});
export type ActionDocument = z.infer<typeof actionSchema>;

export const ruleSchema = z.strictObject({
  allOf: z
    .array(z.strictObject({ group: text, count: z.int().min(1).max(20) }))
    .min(1)
    .max(10),
});
export type Rule = z.infer<typeof ruleSchema>;

const cardActionSchema = z.strictObject({
  step: z.enum(EFFECT_STEPS),
  title: text,
  /** The parameters that matter, a line each; an e-mail address is never among them: cards are shown by Temporal too. */
  details: z.array(text).max(30).optional(),
  actionDigest: digestSchema,
  costMaxMinor: minor,
  reversal: z.enum(['compensate', 'mitigate', 'none']),
  residue: z.strictObject({ minor, text: anyText }),
});

/** Everything a person is shown, as data. Inbox, CLI and Temporal UI render this and nothing else. */
export const cardSchema = z.strictObject({
  type: z.literal('countersign.card.v1'),
  instance: instanceSchema,
  runId: runIdSchema,
  title: text,
  environment: z.enum(ENVIRONMENTS),
  requester: text,
  agent: text,
  owner: text,
  principal: text,
  /** The agent's own words: untrusted, cleaned. */
  agentWords: text,
  actions: z.array(cardActionSchema).min(1).max(20),
  /** Context: what else the plan holds and which gate covers it. */
  otherSteps: z
    .array(z.strictObject({ step: z.enum(STEPS), title: text, gate: z.string() }))
    .max(20),
  currency,
  totalMaxMinor: minor,
  firstChargeMinor: minor,
  monthlyMinor: minor,
  yearlyMinor: minor,
  /** What would be lost if the run stopped after each step and was unwound. */
  worstCase: z.array(z.strictObject({ afterStep: z.enum(STEPS), lossMinor: minor })).max(20),
  caps: z
    .array(z.strictObject({ scope: text, capMinor: minor, usedMinor: minor, afterMinor: minor }))
    .max(20),
  /** The rules that ask, each by its name in the policy and in words. */
  why: z.array(z.strictObject({ rule: text, text })).max(50),
  /** Terms of service that approving accepts, by URL, version and digest. */
  terms: z
    .array(z.strictObject({ provider: text, url: text, version: text, digest: digestSchema }))
    .max(10),
  site: z.strictObject({ bundle: digestSchema, files: z.int().min(1), bytes: minor }).optional(),
  /** What differs from the gate before it, when this is a later revision. */
  changes: z.array(z.strictObject({ what: text, before: anyText, after: anyText })).max(50),
  notes: z.array(text).max(20),
  /** For an irreversible action: the words the approver types before signing (the domain). */
  typeToConfirm: text.optional(),
  policyVersion: z.int().min(1),
  policyDigest: digestSchema,
});
export type CardDocument = z.infer<typeof cardSchema>;

/** What is signed: its digest is the `actionDigest` of a decision. Written once, by the opening of the gate. */
export const gateSchema = z.strictObject({
  type: z.literal('countersign.gate.v1'),
  instance: instanceSchema,
  environment: z.enum(ENVIRONMENTS),
  runId: runIdSchema,
  gateId: gateIdSchema,
  requestDigest: digestSchema,
  policyDigest: digestSchema,
  rule: ruleSchema,
  excluded: z.array(personIdSchema).max(60),
  actions: z.array(digestSchema).min(1).max(20),
  cardDigest: digestSchema,
  openedAt: instantSchema,
  expiresAt: instantSchema,
  nonce: instanceSchema,
});
export type GateDocument = z.infer<typeof gateSchema>;

export const ed25519SignatureSchema = z.strictObject({
  kind: z.literal('ed25519'),
  value: z.string().regex(/^[A-Za-z0-9_-]{86}$/),
});
export type Ed25519Signature = z.infer<typeof ed25519SignatureSchema>;

const base64url = z.string().regex(/^[A-Za-z0-9_-]{1,2000}$/);
/** What a passkey answers to a challenge that is the statement's hash: the bytes as they were received. */
export const webauthnSignatureSchema = z.strictObject({
  kind: z.literal('webauthn'),
  credentialId: base64url,
  clientDataJSON: base64url,
  authenticatorData: base64url,
  signature: base64url,
  userHandle: base64url.optional(),
});
export type WebauthnSignature = z.infer<typeof webauthnSignatureSchema>;

/** Every statement that a person signs bears one of these. */
export const signatureSchema = z.discriminatedUnion('kind', [
  ed25519SignatureSchema,
  webauthnSignatureSchema,
]);
export type Signature = z.infer<typeof signatureSchema>;

/** Members of a statement, and the same with the signature that its message carries. Both strict. */
export const signable = <Members extends z.ZodRawShape>(members: Members) => ({
  statement: z.strictObject(members),
  message: z.strictObject({ ...members, signature: signatureSchema }),
});

/** Who signs an order, with which key, when and why. */
export const orderMembers = {
  instance: instanceSchema,
  by: personIdSchema,
  keyId: keyIdSchema,
  reason: text,
  at: instantSchema,
};

const decisionForms = signable({
  type: z.literal('countersign.decision.v1'),
  instance: instanceSchema,
  gateId: gateIdSchema,
  actionDigest: digestSchema,
  /** `withdraw` takes one's own approve back, until an effect has used it. */
  decision: z.enum(['approve', 'reject', 'withdraw']),
  approver: personIdSchema,
  keyId: keyIdSchema,
  surface: z.enum(['inbox', 'cli', 'offline']),
  decidedAt: instantSchema,
  reason: text.optional(),
});
export const decisionSchema = decisionForms.statement;
export type DecisionStatement = z.infer<typeof decisionSchema>;
/** The `decide` message: the statement's members plus its signature. */
export const decideMessageSchema = decisionForms.message;
export type DecideMessage = z.infer<typeof decideMessageSchema>;

const resolveForms = signable({
  ...orderMembers,
  type: z.literal('countersign.resolve.v1'),
  runId: runIdSchema,
  step: z.enum(STEPS),
  action: z.enum(['retry', 'done-by-hand', 'give-up']),
});
export const resolveSchema = resolveForms.statement;
export type ResolveStatement = z.infer<typeof resolveSchema>;
export const resolveMessageSchema = resolveForms.message;
export type ResolveMessage = z.infer<typeof resolveMessageSchema>;

export const scopeSchema = z
  .string()
  .regex(
    /^(all|run\/[a-z0-9][a-z0-9-]{0,62}|(agent|principal)\/[A-Za-z0-9_.@-]{1,128}|provider\/(stripe|cloudflare))$/,
  );
export type Scope = z.infer<typeof scopeSchema>;

const resumeForms = signable({
  ...orderMembers,
  type: z.literal('countersign.resume.v1'),
  scope: scopeSchema,
});
/** Lifts a stop over its scope, or lets a `held` run go on (scope `run/<id>`). */
export const resumeSchema = resumeForms.statement;
export type ResumeStatement = z.infer<typeof resumeSchema>;
export const resumeMessageSchema = resumeForms.message;
export type ResumeMessage = z.infer<typeof resumeMessageSchema>;

const policyForms = signable({
  ...orderMembers,
  type: z.literal('countersign.policy.v1'),
  /** Of the document in canonical form. */
  policyDigest: digestSchema,
  /** The version it becomes: one more than the version in force when this is accepted, so that nothing is replayed. */
  version: z.int().min(1),
});
/** Puts a policy in force. As many of these as the policy in force asks for, each of another person. */
export const policyStatementSchema = policyForms.statement;
export type PolicyStatement = z.infer<typeof policyStatementSchema>;
export const policyMessageSchema = policyForms.message;
export type PolicyMessage = z.infer<typeof policyMessageSchema>;

export const stopMessageSchema = z.strictObject({
  mode: z.enum(['unwind', 'hold']),
  reason: text,
  by: text,
});
export type StopMessage = z.infer<typeof stopMessageSchema>;

/** A request as a registered service signs it to start a run itself, straight on Temporal. */
export const admissionSchema = z.strictObject({
  type: z.literal('countersign.admission.v1'),
  instance: instanceSchema,
  runId: runIdSchema,
  requestDigest: digestSchema,
  /** Register id of the service that asks, and its key. */
  service: z.string().regex(/^s_[a-z0-9][a-z0-9_-]{0,62}$/),
  keyId: keyIdSchema,
  at: instantSchema,
});
export type AdmissionStatement = z.infer<typeof admissionSchema>;

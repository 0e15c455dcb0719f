import { z } from 'zod';
import {
  decideMessageSchema,
  digestSchema,
  gateIdSchema,
  instanceSchema,
  instantSchema,
  keyIdSchema,
  personIdSchema,
  runIdSchema,
  signable,
} from './documents.js';
import { wordsProblem } from './untrusted.js';

export const BREAK_GLASS_TYPE = 'countersign.break-glass.v1';

/** A reason that says something: whoever reviews it has nothing else. */
export const breakGlassReason = z
  .string()
  .refine((text) => text.trim().length >= 10, 'say in at least ten characters why')
  .refine((text) => wordsProblem(text) === undefined, 'plain words, at most 500 characters');

const forms = signable({
  type: z.literal(BREAK_GLASS_TYPE),
  instance: instanceSchema,
  runId: runIdSchema,
  gateId: gateIdSchema,
  /** Of the gate document, as in a decision. */
  actionDigest: digestSchema,
  approver: personIdSchema,
  keyId: keyIdSchema,
  decidedAt: instantSchema,
  /** The last moment before which it may be used. */
  expiresAt: instantSchema,
  reason: breakGlassReason,
});
/** One named person passes one gate alone. The signature is of the kinds that a decision's may be. */
export const breakGlassSchema = forms.statement;
export type BreakGlassStatement = z.infer<typeof breakGlassSchema>;
export const breakGlassMessageSchema = forms.message;
export type BreakGlassMessage = z.infer<typeof breakGlassMessageSchema>;

/** Whatever a person may say at a gate, signed: what the `decide` message carries. */
export const gateWordSchema = z.discriminatedUnion('type', [
  decideMessageSchema,
  breakGlassMessageSchema,
]);
export type GateWord = z.infer<typeof gateWordSchema>;

/** Does a message claim to be one? Its shape is judged afterwards. */
export const claimsBreakGlass = (message: unknown): boolean =>
  typeof message === 'object' &&
  message !== null &&
  'type' in message &&
  message.type === BREAK_GLASS_TYPE;

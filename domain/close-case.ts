import { z } from 'zod';
import {
  signatureSchema,
  instanceSchema,
  instantSchema,
  keyIdSchema,
  personIdSchema,
} from './documents.js';
import { countCharacters } from './text.js';

const closeCaseMembers = {
  type: z.literal('countersign.close-case.v1'),
  instance: instanceSchema,
  caseId: z.int().min(1),
  /** The kind that the case showed, so that nobody closes another one than they read. */
  kind: z.string().regex(/^[a-z][a-z-]{1,40}$/),
  by: personIdSchema,
  keyId: keyIdSchema,
  reason: z
    .string()
    .min(1)
    .refine((value) => countCharacters(value) <= 2_000, 'at most 2,000 characters'),
  at: instantSchema,
};

/** Says that a case is looked after. Closed once: the same statement again changes nothing. */
export const closeCaseSchema = z.strictObject(closeCaseMembers);
export type CloseCaseStatement = z.infer<typeof closeCaseSchema>;
export const closeCaseMessageSchema = z.strictObject({
  ...closeCaseMembers,
  signature: signatureSchema,
});
export type CloseCaseMessage = z.infer<typeof closeCaseMessageSchema>;

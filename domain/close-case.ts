import { z } from 'zod';
import { orderMembers, signable } from './documents.js';

const forms = signable({
  ...orderMembers,
  type: z.literal('countersign.close-case.v1'),
  caseId: z.int().min(1),
  /** The kind that the case showed, so that nobody closes another one than they read. */
  kind: z.string().regex(/^[a-z][a-z-]{1,40}$/),
});

/** Says that a case is looked after. Closed once: the same statement again changes nothing. */
export const closeCaseSchema = forms.statement;
export type CloseCaseStatement = z.infer<typeof closeCaseSchema>;
export const closeCaseMessageSchema = forms.message;
export type CloseCaseMessage = z.infer<typeof closeCaseMessageSchema>;

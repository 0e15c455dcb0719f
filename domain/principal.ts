import { z } from 'zod';
import { digestOf } from './canonical.js';
import { digestSchema } from './documents.js';

/** What a provider is told of a principal, and the only members that a reference may name. */
export const PRINCIPAL_FIELDS = ['email', 'name'] as const;
export type PrincipalField = (typeof PRINCIPAL_FIELDS)[number];

/**
 * A principal's name or address in an action document: who it is, which member, and a salted digest of what it was.
 * The salt stands beside the address and is erased with it; from then on the digest says nothing of anybody.
 */
export const principalReferenceSchema = z.strictObject({
  ofPrincipal: z.string().min(1).max(128),
  field: z.enum(PRINCIPAL_FIELDS),
  digest: digestSchema,
});
export type PrincipalReference = z.infer<typeof principalReferenceSchema>;

/** A principal as the register holds them. */
export interface PrincipalRecord {
  readonly principalId: string;
  readonly email: string;
  readonly name: string;
  readonly salt: string;
}

/** The member of the principal as an action document holds it: fixed by its digest, readable by nobody. */
export function principalReference(
  principal: PrincipalRecord,
  field: PrincipalField,
): PrincipalReference {
  return {
    ofPrincipal: principal.principalId,
    field,
    digest: digestOf({ salt: principal.salt, field, value: principal[field] }),
  };
}

/** What the reference stands for, or undefined when the register says another thing by now. */
export function principalValue(
  reference: PrincipalReference,
  principal: PrincipalRecord,
): string | undefined {
  const now = principalReference(principal, reference.field);
  return now.ofPrincipal === reference.ofPrincipal && now.digest === reference.digest
    ? principal[reference.field]
    : undefined;
}

import { z } from 'zod';
import { policySchema } from './schema.js';

/** The members that a policy may have at a path (`['domains']`, `['tiers', 0]`), for a hint where one was misspelled. */
export function knownMembers(path: readonly PropertyKey[]): string[] {
  let at: unknown = policySchema;
  for (const part of path) {
    at = bare(at);
    if (at instanceof z.ZodArray) at = at.element;
    else if (at instanceof z.ZodObject)
      at = typeof part === 'string' && Object.hasOwn(at.shape, part) ? at.shape[part] : undefined;
  }
  at = bare(at);
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

/** A schema without what makes it optional. */
function bare(schema: unknown): unknown {
  let at = schema;
  while (at instanceof z.ZodOptional || at instanceof z.ZodDefault) at = at.unwrap();
  return at;
}

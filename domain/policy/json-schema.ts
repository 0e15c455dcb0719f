import { z } from 'zod';
import { policySchema } from './schema.js';

/** JSON Schema (2020-12) of a policy file, for editors. */
export function policyJsonSchema(): Record<string, unknown> {
  return {
    ...z.toJSONSchema(policySchema, { io: 'input' }),
    title: 'A Countersign policy: countersign.policy.yaml',
  };
}

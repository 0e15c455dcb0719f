import qs from 'qs';
import { z } from 'zod';
import { invalid, notDone } from './problem.js';
import type { StripeProblem } from './problem.js';

/** Everything on the wire is text: these read it as the API does. */
export const text = z.string();
export const int = z
  .string()
  .regex(/^-?\d{1,15}$/, 'integer')
  .transform(Number);
export const bool = z.enum(['true', 'false']).transform((value) => value === 'true');
export const metadata = z.union([z.literal(''), z.record(z.string(), z.string().max(500))]);
export const expand = z.array(z.string()).max(20);
export const range = z.union([
  int,
  z.strictObject({
    gt: int.optional(),
    gte: int.optional(),
    lt: int.optional(),
    lte: int.optional(),
  }),
]);
/** What every list takes. */
export const paging = {
  limit: int.optional(),
  starting_after: text.optional(),
  ending_before: text.optional(),
  created: range.optional(),
};

/** Reads a form body or a query string: nested keys in brackets. */
export function readForm(form: string): Record<string, unknown> {
  return qs.parse(form, { depth: 8, arrayLimit: 200, parameterLimit: 5_000 });
}

const bracketed = (path: readonly PropertyKey[]): string =>
  path.map((part, index) => (index === 0 ? String(part) : `[${String(part)}]`)).join('');

/** The first issue that says something: of a union, the alternative that got furthest. */
function deepest(issue: z.core.$ZodIssue): z.core.$ZodIssue {
  if (issue.code !== 'invalid_union') return issue;
  const inner = issue.errors.flatMap(([first]) => (first === undefined ? [] : [deepest(first)]));
  const best = inner.sort((a, b) => b.path.length - a.path.length)[0];
  return best === undefined ? issue : { ...best, path: [...issue.path, ...best.path] };
}

function problemOf(raw: z.core.$ZodIssue, notDoneParams: readonly string[]): StripeProblem {
  const issue = deepest(raw);
  if (issue.code === 'unrecognized_keys') {
    const [key = ''] = issue.keys;
    const param = bracketed([...issue.path, key]);
    if (notDoneParams.includes(param)) return notDone(`parameter ${param}`);
    return invalid(`Received unknown parameter: ${param}`, param, 'parameter_unknown');
  }
  const param = bracketed(issue.path);
  if (issue.code === 'invalid_type' && issue.input === undefined) {
    return invalid(`Missing required param: ${param}.`, param, 'parameter_missing');
  }
  if (issue.code === 'invalid_value') {
    const values = issue.values.map(String).join(', ');
    return invalid(`Invalid ${param}: must be one of ${values}`, param);
  }
  if (issue.code === 'invalid_format' && issue.message === 'integer') {
    return invalid(`Invalid integer: ${param}`, param, 'parameter_invalid_integer');
  }
  return invalid(`Invalid ${param}: ${issue.message}`, param);
}

/**
 * Parses parameters, or throws the API's error naming the parameter. `expand` is taken off
 * first.
 */
export function parseParams<T>(
  schema: z.ZodType<T>,
  raw: Record<string, unknown>,
  notDoneParams: readonly string[],
): T {
  const parsed = schema.safeParse(raw, { reportInput: true });
  if (parsed.success) return parsed.data;
  // The real API names an unknown parameter before a missing one.
  const { issues } = parsed.error;
  const first = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0];
  throw first === undefined ? invalid('Invalid request') : problemOf(first, notDoneParams);
}

/** Metadata after an update: keys set, keys given as '' unset, all of them by '' alone. */
export function mergeMetadata(
  held: Record<string, string>,
  given: z.output<typeof metadata> | undefined,
): Record<string, string> {
  if (given === undefined) return held;
  if (given === '') return {};
  const merged = new Map(Object.entries({ ...held, ...given }));
  for (const [key, value] of Object.entries(given)) if (value === '') merged.delete(key);
  return Object.fromEntries(merged);
}

import type { z } from 'zod';
import type { SubsetProblem } from './canonical.js';
import { closestOf } from './edit-distance.js';
import { Failure } from './errors.js';
import { quoteWord } from './untrusted.js';

type Issue = z.core.$ZodIssue;

/**
 * One clear sentence for everything that is wrong with a request: the member, what was found, what to write.
 * Values are quoted and shortened; further faults are counted.
 */
export function requestFailure(
  issues: readonly (Issue | SubsetProblem)[],
  known: readonly string[],
  value: unknown,
): Failure {
  const [first, ...others] = issues;
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  if (first === undefined) return new Failure('REQUEST_INVALID', 'the request is not valid');
  if (typeof first.path === 'string')
    return failure(first.path, `${first.path}: ${first.message}${more}`);
  const issue = first as Issue;
  const path = pathOf(issue.path);
  const found = valueAt(value, issue.path);
  const said = sentence(issue, found, known);
  const remedy = said === 'is missing' ? ': add it' : '';
  return failure(path, `${path === '' ? 'the request' : path}: ${said}${remedy}${more}`);
}

function failure(member: string, message: string): Failure {
  return new Failure('REQUEST_INVALID', message, { member });
}

/** `dns[0].name` of a zod path. */
export function pathOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}

/** What is wrong, for one issue of zod, in words that name the remedy. */
export function sentence(issue: Issue, found: unknown, known: readonly string[] = []): string {
  switch (issue.code) {
    case 'unrecognized_keys':
      return unknownMember(issue.keys[0] ?? '', known);
    case 'invalid_type':
      if (found === undefined) return 'is missing';
      return `${wrongKind(found)}, ${expectation(issue.expected)} is needed${howToWrite(issue.expected, found)}`;
    case 'invalid_value':
      return found === undefined
        ? `is missing: one of ${issue.values.map(String).join(', ')}`
        : `${shown(found)} is not one of ${issue.values.map(String).join(', ')}`;
    case 'too_big':
      return `${shown(found)} is too ${issue.origin === 'string' || issue.origin === 'array' ? 'long' : 'big'}: at most ${issue.maximum}`;
    case 'too_small':
      return `${shown(found)} is too ${issue.origin === 'string' || issue.origin === 'array' ? 'short' : 'small'}: at least ${issue.minimum}`;
    case 'custom':
      return typeof found === 'string' && !issue.message.startsWith('"')
        ? `${shown(found)} is refused: ${issue.message}`
        : issue.message;
    case 'invalid_format':
    case 'not_multiple_of':
    case 'invalid_union':
    case 'invalid_key':
    case 'invalid_element':
      return `${shown(found)} is not allowed here`;
  }
}

function unknownMember(key: string, known: readonly string[]): string {
  const meant = closestOf(key, known);
  const hint = meant === undefined ? 'remove it' : `did you mean ${meant}? Else remove it`;
  return `unknown member ${quoteWord(key, 40)}: ${hint}`;
}

function expectation(expected: string): string {
  const words: Record<string, string> = {
    string: 'text',
    int: 'a whole number',
    number: 'a number',
    array: 'a list',
    object: 'a group of members',
    boolean: 'true or false',
  };
  return words[expected] ?? expected;
}

function wrongKind(found: unknown): string {
  const isShort = typeof found === 'string' || typeof found === 'number';
  return isShort ? `${shown(found)} is ${kindOf(found)}` : `is ${kindOf(found)}`;
}

/** The remedy where a value has the wrong kind: YAML makes a number of what was meant as an amount. */
function howToWrite(expected: string, found: unknown): string {
  if (expected === 'string' && typeof found === 'number')
    return ': an amount has cents and a currency, like 60.00 USD; put any other text in quotes';
  return expected === 'object' ? ': write lines like `name: value`' : '';
}

function kindOf(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  const words: Record<string, string> = {
    string: 'text',
    number: 'a number',
    object: 'a group of members',
    boolean: 'true or false',
  };
  return words[typeof value] ?? 'something else';
}

function shown(value: unknown): string {
  if (typeof value === 'string') return quoteWord(value);
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return Array.isArray(value) ? 'the list' : value === null ? 'nothing' : 'the value';
}

/** What stands at a zod path of the value that was parsed; own members only. */
export function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (at, part) =>
      typeof at === 'object' && at !== null && Object.hasOwn(at, part)
        ? (at as Record<PropertyKey, unknown>)[part]
        : undefined,
    value,
  );
}

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  canonicalize,
  checkSubset,
  digestOf,
  parseCanonical,
  utf8,
} from '../../domain/canonical.js';
import { ProtocolError } from '../../domain/reasons.js';

function reasonOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ProtocolError) return error.reason;
    throw error;
  }
  return 'accepted';
}

const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_]{0,8}$/);
const words = fc
  .string({ unit: 'grapheme', maxLength: 40 })
  .map((text) => text.normalize('NFC'))
  .filter((text) => !/\p{Surrogate}/u.test(text));
const { value: subset } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.boolean(),
    fc.maxSafeInteger().map((n) => (Object.is(n, -0) ? 0 : n)),
    words,
    fc.array(tie('value'), { maxLength: 4, depthIdentifier: 'd' }),
    fc.dictionary(name, tie('value'), { maxKeys: 4, depthIdentifier: 'd', noNullPrototype: true }),
  ),
}));

describe('canonical form', () => {
  test('what fits the subset comes back equal, and its form is its own canonical form', () => {
    fc.assert(
      fc.property(subset, (value) => {
        fc.pre(checkSubset(value) === undefined);
        const text = canonicalize(value);
        expect(parseCanonical(utf8(text))).toEqual(value);
        expect(canonicalize(parseCanonical(text))).toBe(text);
        expect(digestOf(parseCanonical(text))).toBe(digestOf(value));
      }),
    );
  });

  test('bytes are refused or parsed, never answered otherwise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(['accepted', 'too-large', 'malformed', 'not-canonical']).toContain(
          reasonOf(() => parseCanonical(bytes)),
        );
      }),
    );
  });

  test('any JSON text that is accepted is the canonical form of its value', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        if (reasonOf(() => parseCanonical(text)) === 'accepted')
          expect(canonicalize(JSON.parse(text))).toBe(text);
      }),
    );
  });

  test.each([
    ['a duplicate member', '{"a":1,"a":1}', 'not-canonical'],
    ['members out of order', '{"b":1,"a":1}', 'not-canonical'],
    ['white space', '{"a": 1}', 'not-canonical'],
    ['1.0 for 1', '{"a":1.0}', 'not-canonical'],
    ['1e0 for 1', '{"a":1e0}', 'not-canonical'],
    ['an escaped letter', '{"a":"\\u0061"}', 'not-canonical'],
    ['2^53+1', '{"a":9007199254740993}', 'malformed'],
    ['a fraction', '{"a":1.5}', 'malformed'],
    ['minus zero', '{"a":-0}', 'malformed'],
    ['null', '{"a":null}', 'malformed'],
    ['__proto__', '{"__proto__":{}}', 'malformed'],
    ['a member name with a hyphen', '{"a-b":1}', 'malformed'],
    ['decomposed text', '{"a":"Zu\u0308rich"}', 'malformed'],
    ['half of a surrogate pair', '{"a":"\\ud83d"}', 'malformed'],
    ['a byte order mark', '\uFEFF{"a":1}', 'malformed'],
    ['depth 9', '[[[[[[[[[]]]]]]]]]', 'malformed'],
    ['2,001 characters', `{"a":"${'x'.repeat(2_001)}"}`, 'malformed'],
    ['more than 16 KiB', `["${'x'.repeat(16 * 1024)}"]`, 'too-large'],
    ['no JSON', '{', 'malformed'],
    ['depth 8', '[[[[[[[[]]]]]]]]', 'accepted'],
    ['2,000 astral characters', `{"a":"${'😀'.repeat(2_000)}"}`, 'accepted'],
  ])('%s is judged by name', (_, text, reason) => {
    expect(reasonOf(() => parseCanonical(text))).toBe(reason);
  });

  test.each([
    ['a Date', { at: new Date(0) }],
    ['undefined', { a: undefined }],
    ['a Map', { a: new Map() }],
    ['a hole in an array', { a: [, 1] }], // prettier-ignore
    ['a symbol', { [Symbol('s')]: 1 }],
    ['an array with a member', { a: Object.assign([1], { constructor: {} }) }],
    ['a value with toJSON', { a: 1, toJSON: () => 'else' }],
  ])('%s is refused instead of turned into something else', (_, value) => {
    expect(reasonOf(() => canonicalize(value))).toBe('malformed');
  });

  test('a value of more than 2 MiB is given up while it is walked', () => {
    // What comes last is never reached: it would be refused in other words.
    const large = [Array<string>(2_100).fill('a'.repeat(2_000)), null];
    expect(checkSubset(large)).toEqual({ path: '', message: 'larger than 2097152 characters' });
    expect(checkSubset(large.slice(1))?.message).toContain('null');
  });
});

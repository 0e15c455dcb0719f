import { expect, test } from '@jest/globals';
import { memo, memoOfText } from '../../domain/memo.js';

test('an answer is remembered by the whole input, and never given for another one', () => {
  const asked: string[] = [];
  const upper = memoOfText(10, (text) => {
    asked.push(text);
    return text.toUpperCase();
  });
  expect([upper('a'), upper('a'), upper('b'), upper('a')]).toEqual(['A', 'A', 'B', 'A']);
  expect(asked).toEqual(['a', 'b']);
});

test('the oldest is forgotten first, and what was asked for again is not the oldest', () => {
  const asked: number[] = [];
  const twice = memo(2, String, (value: number) => {
    asked.push(value);
    return 2 * value;
  });
  for (const value of [1, 2, 1, 3, 1, 2]) twice(value);
  expect(asked).toEqual([1, 2, 3, 2]);
});

test('what was thrown is thrown again, and tried again', () => {
  let tries = 0;
  const fails = memoOfText(2, () => {
    tries += 1;
    throw new Error('no');
  });
  expect(() => fails('a')).toThrow('no');
  expect(() => fails('a')).toThrow('no');
  expect(tries).toBe(2);
});

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  cleanWords,
  quoteWord,
  wordsForMarkdown,
  wordsForTerminal,
  wordsProblem,
} from '../../domain/untrusted.js';

const hostile = fc.string({ unit: 'binary', maxLength: 200 });
// Everything that a terminal acts on or an eye cannot see, but the line feed.
const ACTIVE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

describe('foreign words', () => {
  test('clean words come back as they are', () => {
    const words = 'Put the Superseal site online.\nZürich 語 😀 — "now"';
    expect(cleanWords(words)).toBe(words);
  });

  test.each([
    ['ANSI', '\u001b[31mred', 'U+001B'],
    ['an OSC 8 link', '\u001b]8;;https://evil.example\u0007x', 'U+001B'],
    ['C1 control', 'a\u009bb', 'U+009B'],
    ['carriage return', 'a\rb', 'U+000D'],
    ['tab', 'a\tb', 'U+0009'],
    ['right-to-left override', 'a\u202eb', 'U+202E'],
    ['isolate', 'a\u2066b', 'U+2066'],
    ['zero-width joiner', 'a\u200db', 'U+200D'],
    ['byte order mark', 'a\ufeffb', 'U+FEFF'],
    ['soft hyphen', 'a\u00adb', 'U+00AD'],
    ['tag', 'a\u{e0061}b', 'U+E0061'],
    ['variation selector', 'a\u{e0101}b', 'U+E0101'],
    ['Hangul filler', 'a\u3164b', 'U+3164'],
    ['line separator', 'a\u2028b', 'U+2028'],
    ['private use', 'a\ue000b', 'U+E000'],
    ['stacked marks', `x${'\u0338'.repeat(5)}`, 'combining marks'],
  ])('%s is refused by name', (_, text, named) => {
    expect(wordsProblem(text)).toContain(named);
    expect(cleanWords(text)).toBeUndefined();
  });

  test('no renderer lets anything active through, whatever it is given', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        for (const rendered of [wordsForTerminal(text), wordsForMarkdown(text), quoteWord(text)])
          expect(rendered.replaceAll('\n', '')).not.toMatch(ACTIVE);
        expect(quoteWord(text)).not.toContain('\n');
      }),
    );
  });

  test('in Markdown every line is code: no link, heading, fence or HTML is alive', () => {
    const text = '# Title\n```\n[x](https://evil.example) <script>';
    const lines = wordsForMarkdown(text).split('\n');
    expect(lines[0]).toBe('');
    expect(lines.at(-1)).toBe('');
    for (const line of lines.slice(1, -1)) expect(line).toMatch(/^ {4}/);
  });

  test('on a terminal every line stands behind a bar', () => {
    expect(wordsForTerminal('a\nb')).toBe('  | a\n  | b');
  });
});

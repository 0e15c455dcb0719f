import { textProblem } from './text.js';

declare const brand: unique symbol;
/** Words of an agent, a site or a provider, checked at the edge. They leave through one renderer per surface. */
export type Untrusted = string & { readonly [brand]: 'Untrusted' };

export const WORDS_CHARACTERS_MAX = 500;
export const WORDS_LINES_MAX = 10;

/**
 * Characters that say one thing to a machine and another to an eye: controls (but the line feed), formats
 * (bidirectional, zero-width, tags), line and paragraph separators, private use, unassigned, blanks that are letters
 * to Unicode, and variation selectors (but the emoji one), which can carry hidden bytes.
 */
const HIDDEN =
  /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}\p{Cn}\u115F\u1160\u2800\u3164\uFFA0\uFE00-\uFE0E\u{E0100}-\u{E01EF}]/u;
const HIDDEN_ALL = new RegExp(HIDDEN, 'gu');
const STACKED_MARKS = /\p{M}{5,}/u;

/** What keeps foreign words from being shown to a person, or undefined. */
export function wordsProblem(
  text: string,
  { charactersMax = WORDS_CHARACTERS_MAX, linesMax = WORDS_LINES_MAX } = {},
): string | undefined {
  const problem = textProblem(text, charactersMax);
  if (problem !== undefined) return problem;
  const lines = text.split('\n');
  if (lines.length > linesMax) return `more than ${linesMax} lines`;
  for (const line of lines) {
    const hidden = HIDDEN.exec(line)?.[0];
    if (hidden !== undefined) return `holds the hidden or control character ${codePoint(hidden)}`;
  }
  return STACKED_MARKS.test(text) ? 'holds more than four combining marks in a row' : undefined;
}

/** The words as they are, or undefined when they must not be shown: checked, never repaired. */
export function cleanWords(
  text: string,
  limits: { charactersMax?: number; linesMax?: number } = {},
): Untrusted | undefined {
  return wordsProblem(text, limits) === undefined ? (text as Untrusted) : undefined;
}

function codePoint(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
}

/** Any foreign text as visible characters: what is hidden is spelled out, so that nothing can act on a terminal. */
export function visible(line: string): string {
  return line.replace(HIDDEN_ALL, (hidden) => `<${codePoint(hidden)}>`);
}

/** For a terminal: each line behind a bar, hidden characters spelled out. */
export function wordsForTerminal(text: string, indent = '  '): string {
  return text
    .split('\n')
    .map((line) => `${indent}| ${visible(line)}`)
    .join('\n');
}

/** For Markdown: an indented code block with empty lines around it; no markup, link or HTML in it is alive. */
export function wordsForMarkdown(text: string): string {
  const block = text.split('\n').map((line) => `    ${visible(line)}`);
  return ['', ...block, ''].join('\n');
}

/** One foreign name in a line of ours: quoted, shortened, hidden characters spelled out. */
export function quoteWord(text: string, charactersMax = 80): string {
  // Cut first: of a name of megabytes no more is looked at than is shown.
  const characters = Array.from(text.slice(0, 2 * charactersMax + 2).replaceAll('\n', '⏎'));
  const shown = characters.slice(0, charactersMax).join('');
  return `"${visible(shown)}${characters.length > charactersMax ? '…' : ''}"`;
}

import { countCharacters } from '../domain/text.js';

/** How everything that the command line prints looks: one palette, one table, one way to write money and time. */

export interface Style {
  readonly columns: number;
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly good: (text: string) => string;
  readonly warn: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly accent: (text: string) => string;
}

const ESC = '\u001b';
const wrapIn =
  (on: boolean, open: number, close: number) =>
  (text: string): string =>
    on && text !== '' ? `${ESC}[${open}m${text}${ESC}[${close}m` : text;

/** A style for a stream of this width; colours only where the stream is a terminal that wants them. */
export function styleFor(stream: { readonly columns: number; readonly colour: boolean }): Style {
  const on = stream.colour;
  return {
    columns: Math.max(60, Math.min(stream.columns, 110)),
    bold: wrapIn(on, 1, 22),
    dim: wrapIn(on, 2, 22),
    good: wrapIn(on, 32, 39),
    warn: wrapIn(on, 33, 39),
    bad: wrapIn(on, 31, 39),
    accent: wrapIn(on, 36, 39),
  };
}

const ANSI = /\u001b\[[0-9;]*m/g;

/** Columns that a text takes on a terminal, leaving out colours. */
export function widthOf(text: string): number {
  return countCharacters(text.replace(ANSI, ''));
}

export function pad(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const fill = ' '.repeat(Math.max(0, width - widthOf(text)));
  return align === 'right' ? fill + text : text + fill;
}

/** Breaks text at spaces; words longer than the width stand alone. */
export function wrap(text: string, width: number): readonly string[] {
  return text.split('\n').flatMap((paragraph) => {
    const lines: string[] = [];
    let line = '';
    for (const word of paragraph.split(' ')) {
      if (line === '') line = word;
      else if (widthOf(line) + 1 + widthOf(word) <= width) line += ` ${word}`;
      else {
        lines.push(line);
        line = word;
      }
    }
    return [...lines, line];
  });
}

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

/** A table without lines: titles dimmed, columns two spaces apart, the last one free to run on. */
export function table(
  style: Style,
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): readonly string[] {
  const widths = columns.map((column, i) =>
    Math.max(widthOf(column.title), ...rows.map((row) => widthOf(row[i] ?? ''))),
  );
  const line = (cells: readonly string[]): string =>
    columns
      .map((column, i) =>
        i === columns.length - 1 && column.align !== 'right'
          ? (cells[i] ?? '')
          : pad(cells[i] ?? '', widths[i] ?? 0, column.align),
      )
      .join('  ')
      .trimEnd();
  return [style.dim(line(columns.map((column) => column.title))), ...rows.map(line)];
}

/** `12.00 USD` from minor units. */
export function money(minor: number, currency: string): string {
  const sign = minor < 0 ? '-' : '';
  const cents = Math.abs(minor);
  const whole = Math.floor(cents / 100).toString();
  return `${sign}${whole}.${(cents % 100).toString().padStart(2, '0')} ${currency}`;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `2 d 3 h`, `1 h 05 min`, `4 min`, `12 s`: two units at most, from ms. */
export function duration(ms: number): string {
  if (ms < MINUTE) return `${Math.max(0, Math.round(ms / 1000))} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < DAY) {
    const minutes = Math.floor((ms % HOUR) / MINUTE);
    return `${Math.floor(ms / HOUR)} h ${minutes.toString().padStart(2, '0')} min`;
  }
  return `${Math.floor(ms / DAY)} d ${Math.floor((ms % DAY) / HOUR)} h`;
}

const isCommand = (text: string): boolean =>
  /^(countersign|temporal) /.test(text.replace(ANSI, ''));

/** `label   value` lines with the labels in one dimmed column; a command is never broken, so that it can be copied. */
export function fields(
  style: Style,
  entries: readonly (readonly [label: string, value: string])[],
  indent = '',
): readonly string[] {
  const width = Math.max(0, ...entries.map(([label]) => label.length));
  return entries.flatMap(([label, value]) =>
    (isCommand(value) ? [value] : wrap(value, style.columns - width - 2 - indent.length)).map(
      (line, i) => `${indent}${style.dim(pad(i === 0 ? label : '', width))}  ${line}`,
    ),
  );
}

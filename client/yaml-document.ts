import {
  CST,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isPair,
  isScalar,
  Lexer,
  LineCounter,
  parseDocument,
  visit,
  type Document,
} from 'yaml';
import { quoteWord, visible } from '../domain/untrusted.js';
import { FileRefused } from './errors.js';

/**
 * One parser for the YAML that people write (1.2 core, of which JSON is a part). What makes a file say something else
 * than it shows is refused: aliases, anchors, tags, directives, a key twice, a second document. So is what only makes a
 * parser slow: the pieces are counted before anything is composed of them.
 */

export interface YamlLimits {
  readonly bytesMax: number;
  /** Marks, words and line ends; a line of a policy has about five. */
  readonly piecesMax: number;
  readonly depthMax: number;
}

export const YAML_LIMITS: YamlLimits = { bytesMax: 256 * 1024, piecesMax: 6_000, depthMax: 20 };

const ESCAPES_MAX = 100;
const PIECE_CHARACTERS_MAX = 4_000;

export interface YamlFile {
  /** Plain values; never shared, never of a type of its own. */
  readonly value: unknown;
  /** `file:line:column` of the value at this path, or of the nearest thing around it. */
  readonly at: (path: readonly PropertyKey[]) => string;
  /** `file:line:column` of the key itself in the map at `path`. */
  readonly atKey: (path: readonly PropertyKey[], key: string) => string;
}

/** Parses one YAML document. @throws FileRefused with line and column */
export function parseYamlDocument(
  text: string,
  file: string,
  limits: YamlLimits = YAML_LIMITS,
): YamlFile {
  if (text.length > limits.bytesMax)
    throw new FileRefused(file, `it is larger than ${limits.bytesMax} bytes`, 'Shorten it');
  const lines = lineCounterOf(text);
  const where = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const refuse: Refuse = (offset, what, remedy) => new FileRefused(where(offset), what, remedy);
  scan(text, limits, refuse);
  const document = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    prettyErrors: false,
    // Ours is linear; the library compares each key with each other one.
    uniqueKeys: false,
  });
  const fault = document.errors[0] ?? document.warnings[0];
  if (fault !== undefined)
    throw refuse(
      fault.pos[0],
      `this is not valid YAML: ${firstSentence(fault.message)}`,
      'Correct it',
    );
  inspect(document, limits, refuse);
  return {
    value: document.toJS({ maxAliasCount: 0 }),
    at: (path) => where(offsetOf(document, path)),
    atKey: (path, key) => where(keyOffsetOf(document, path, key)),
  };
}

type Refuse = (offset: number, what: string, remedy: string) => FileRefused;

function lineCounterOf(text: string): LineCounter {
  const lines = new LineCounter();
  lines.addNewLine(0);
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1))
    lines.addNewLine(at + 1);
  return lines;
}

const TRICKS: ReadonlySet<string | null> = new Set(['alias', 'anchor', 'tag', 'directive-line']);
/** Pieces that may stand before a document begins. */
const SILENT: ReadonlySet<string | null> = new Set([
  'byte-order-mark',
  'space',
  'newline',
  'comment',
]);
/** What the lexer says without having read anything: where a text begins, and its modes. */
const MARKERS: ReadonlySet<string> = new Set(['\u0002', '\u0018', '\u001f']);

type Kind = 'value' | 'colon' | 'comma' | 'blank' | 'line-end' | 'other';

/** Two values on a line, two colons, two commas in a row: never valid in what people write here. */
function kindOf(type: string | null, isText: boolean): Kind {
  if (isText || type === 'double-quoted-scalar' || type === 'single-quoted-scalar') return 'value';
  if (type === 'map-value-ind') return 'colon';
  if (type === 'comma') return 'comma';
  if (type === 'space') return 'blank';
  return type === 'newline' ? 'line-end' : 'other';
}

/** Looks at the pieces alone, in one pass: too many, too long, nested too deep, or of a kind that is not accepted. */
function scan(text: string, limits: YamlLimits, refuse: Refuse): void {
  const { piecesMax, depthMax } = limits;
  const seen = {
    offset: 0,
    pieces: 0,
    depth: 0,
    escapes: 0,
    documents: 0,
    inLine: 0,
    began: false,
  };
  const must = (holds: boolean, what: string, remedy: string): void => {
    if (!holds) throw refuse(seen.offset, what, remedy);
  };
  let textFollows = false;
  let before: Kind = 'other';
  for (const piece of new Lexer().lex(text)) {
    const isText: boolean = textFollows;
    textFollows = !isText && piece === '\u001f';
    if (!isText && MARKERS.has(piece)) continue;
    const type = isText ? null : CST.tokenType(piece);
    seen.pieces += 1;
    must(
      seen.pieces <= piecesMax,
      `it has more than ${piecesMax} words and marks`,
      'Shorten it, or split it',
    );
    must(
      piece.length <= PIECE_CHARACTERS_MAX,
      `a text has more than ${PIECE_CHARACTERS_MAX} characters`,
      'Shorten it',
    );
    must(!TRICKS.has(type), 'aliases, anchors and tags are not accepted', 'Write the value out');
    const another = type === 'doc-start' && (seen.began || seen.documents > 0);
    must(!another, 'a second document begins here', 'Keep one document in a file');
    const kind = kindOf(type, isText);
    // Each of these is a fault of its own to the composer, and thousands of faults take their time.
    must(
      kind === 'other' || kind === 'blank' || kind === 'line-end' || kind !== before,
      'this is not valid YAML: a comma, a colon or what belongs between them is missing',
      'Correct it',
    );
    if (kind !== 'blank' && !(kind === 'line-end' && before !== 'value')) before = kind;
    if (type === 'doc-start') seen.documents += 1;
    else if (!SILENT.has(type)) seen.began = true;
    if (type === 'flow-seq-start' || type === 'flow-map-start') seen.depth += 1;
    if (type === 'flow-seq-end' || type === 'flow-map-end') seen.depth -= 1;
    must(seen.depth >= 0, 'this is not valid YAML: it closes what was never opened', 'Remove it');
    // Blocks nest within a line too: `- - - a`.
    if (type === 'newline') seen.inLine = 0;
    if (type === 'seq-item-ind' || type === 'explicit-key-ind') seen.inLine += 1;
    must(
      Math.max(seen.depth, seen.inLine) <= depthMax,
      `it is nested deeper than ${depthMax}`,
      'Write it flatter',
    );
    if (type === 'double-quoted-scalar') seen.escapes += piece.split('\\').length - 1;
    must(seen.escapes <= ESCAPES_MAX, `it has more than ${ESCAPES_MAX} escapes`, 'Use plain text');
    seen.offset += piece.length;
  }
}

function inspect(document: Document, { depthMax }: YamlLimits, refuse: Refuse): void {
  visit(document, (_key, node, path) => {
    if (!isNode(node)) return;
    const at = node.range?.[0] ?? 0;
    const anchored = (isScalar(node) || isCollection(node)) && node.anchor !== undefined;
    if (isAlias(node) || anchored || node.tag !== undefined)
      throw refuse(at, 'aliases, anchors and tags are not accepted', 'Write the value out');
    const depth = path.filter((parent) => !isPair(parent)).length;
    if (isCollection(node) && depth > depthMax)
      throw refuse(at, `it is nested deeper than ${depthMax}`, 'Write it flatter');
    if (!isMap(node)) return;
    const seen = new Set<unknown>();
    for (const { key } of node.items) {
      const keyAt = isNode(key) ? (key.range?.[0] ?? at) : at;
      if (!isScalar(key) || typeof key.value !== 'string')
        throw refuse(keyAt, 'a key is not a word', 'Write keys as plain words');
      if (seen.has(key.value))
        throw refuse(
          keyAt,
          `the key ${quoteWord(key.value, 40)} stands twice`,
          'Keys are unique: keep one',
        );
      seen.add(key.value);
    }
  });
}

function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  for (let length = path.length; length > 0; length -= 1) {
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range != null) return node.range[0];
  }
  return isNode(document.contents) ? (document.contents.range?.[0] ?? 0) : 0;
}

function keyOffsetOf(document: Document, path: readonly PropertyKey[], key: string): number {
  const map = path.length === 0 ? document.contents : document.getIn(path, true);
  const pair = isMap(map)
    ? map.items.find((item) => isScalar(item.key) && item.key.value === key)
    : undefined;
  return isNode(pair?.key) ? (pair.key.range?.[0] ?? 0) : offsetOf(document, path);
}

function firstSentence(message: string): string {
  return visible((message.split('\n')[0] ?? message).slice(0, 300))
    .slice(0, 300)
    .replace(/\.$/, '');
}

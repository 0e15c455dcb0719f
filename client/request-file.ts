import { readFileSync, statSync } from 'node:fs';
import {
  isAlias,
  isCollection,
  isNode,
  isPair,
  isScalar,
  LineCounter,
  parseDocument,
  visit,
} from 'yaml';
import { REQUEST_BYTES_MAX } from '../domain/request.js';
import { FileRefused } from './errors.js';

const DEPTH_MAX = 20;

/** Reads a request file (YAML 1.2 core, of which JSON is a part) into plain values. @throws FileRefused with line and column */
export function readRequestFile(file: string): unknown {
  return parseYaml(readText(file), file);
}

function readText(file: string): string {
  let bytes: Buffer;
  try {
    const stat = statSync(file);
    if (!stat.isFile()) throw new FileRefused(file, 'it is not a file', 'Name a request file');
    if (stat.size > REQUEST_BYTES_MAX)
      throw new FileRefused(file, `it is larger than ${REQUEST_BYTES_MAX} bytes`, 'Shorten it');
    bytes = readFileSync(file);
  } catch (error) {
    if (error instanceof FileRefused) throw error;
    throw new FileRefused(
      file,
      'it cannot be read',
      'Name a request file that exists, such as examples/superseal/request.yaml',
    );
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new FileRefused(file, 'it is not UTF-8 text', 'Save it as UTF-8');
  }
}

/** One parser for YAML: no aliases, anchors or tags, no key twice, nothing nested deeper than 20. @throws FileRefused */
export function parseYaml(text: string, file: string): unknown {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
  });
  const refuse = (offset: number, what: string, remedy: string): FileRefused => {
    const { line, col } = lines.linePos(offset);
    return new FileRefused(`${file}:${line}:${col}`, what, remedy);
  };
  const fault = document.errors[0] ?? document.warnings[0];
  if (fault !== undefined)
    throw refuse(
      fault.pos[0],
      `this is not valid YAML: ${firstSentence(fault.message)}`,
      'Correct it',
    );
  visit(document, (_key, node, path) => {
    if (!isNode(node)) return;
    const at = node.range?.[0] ?? 0;
    const anchored = (isScalar(node) || isCollection(node)) && node.anchor !== undefined;
    if (isAlias(node) || anchored || node.tag !== undefined)
      throw refuse(at, 'aliases, anchors and tags are not accepted', 'Write the value out');
    const depth = path.filter((parent) => !isPair(parent)).length;
    if (isCollection(node) && depth > DEPTH_MAX)
      throw refuse(at, `it is nested deeper than ${DEPTH_MAX}`, 'A request needs three levels');
  });
  const value: unknown = document.toJS({ maxAliasCount: 0 });
  return value;
}

function firstSentence(message: string): string {
  return (message.split('\n')[0] ?? message).replace(/\.$/, '');
}

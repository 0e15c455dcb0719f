import { readFileSync, statSync } from 'node:fs';
import { REQUEST_BYTES_MAX } from '../domain/request.js';
import { FileRefused } from './errors.js';
import { parseYamlDocument, YAML_LIMITS } from './yaml-document.js';

/** Reads a request file (YAML 1.2 core, of which JSON is a part) into plain values. @throws FileRefused with line and column */
export function readRequestFile(file: string): unknown {
  return parseYamlDocument(readText(file), file, { ...YAML_LIMITS, bytesMax: REQUEST_BYTES_MAX })
    .value;
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

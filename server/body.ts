import { createHash } from 'node:crypto';
import { Problem } from './problem.js';

const DEPTH_MAX = 20;

/** Reads a body up to `maxBytes`; a longer one is refused before it is read, or as soon as it shows. @throws Problem 413 */
export async function readBody(request: Request, maxBytes: number): Promise<Buffer> {
  const tooLarge = new Problem(413, 'too-large', `a body here has at most ${maxBytes} bytes`);
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge;
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (request.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    // guard: what says nothing of its length is counted as it comes.
    if (bytes > maxBytes) throw tooLarge;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Parses a JSON body, at most 20 deep. @throws Problem 400, 415 */
export function parseJson(body: Buffer, contentType: string | undefined): unknown {
  // guard: a web page may post text/plain to anybody without being asked; JSON it may not.
  if (!/^application\/([a-z.+-]+\+)?json\s*(;|$)/i.test(contentType ?? ''))
    throw new Problem(415, 'not-json', 'send the body as application/json');
  const text = body.toString('utf8');
  if (depthOf(text) > DEPTH_MAX)
    throw new Problem(400, 'body-malformed', `the body is nested more than ${DEPTH_MAX} deep`);
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem(400, 'body-malformed', 'the body is not JSON');
  }
}

/** How deep brackets nest outside of strings: counted before anything is built of them. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (quoted && character === '\\') at += 1;
    else if (character === '"') quoted = !quoted;
    else if (!quoted && (character === '[' || character === '{')) depth += 1;
    else if (!quoted && (character === ']' || character === '}')) depth -= 1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

export const sha256 = (bytes: Buffer | string): string =>
  createHash('sha256').update(bytes).digest('hex');

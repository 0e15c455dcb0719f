import { randomUUID } from 'node:crypto';
import { text } from 'node:stream/consumers';
import type { Program, Validate } from '../cloudflare/versions.js';
import { KEY_HEADER, PROBE_HEADER } from './loader-worker.js';
import type { Runtime } from './runtime.js';
import { RuntimeTimeout } from './runtime.js';

/** The real limit is on CPU time; this one is generous, as the machine may be busy. */
const START_MAX_MS = 10_000;

/**
 * Starts code without calling it: a probe of ours is the main module and imports what was uploaded, so
 * that it is compiled and its top level runs, as the real service does before it takes an upload.
 */
export function validation(): {
  readonly pending: ReadonlyMap<string, Program>;
  readonly over: (runtime: Runtime) => Validate;
} {
  const pending = new Map<string, Program>();
  const over =
    (runtime: Runtime): Validate =>
    async (program) => {
      const key = `validate/${randomUUID()}`;
      pending.set(key, probing(program));
      const from = performance.now();
      try {
        const request = {
          method: 'GET',
          path: '/',
          headers: { [KEY_HEADER]: key, [PROBE_HEADER]: '1' },
          body: new Uint8Array(),
        };
        const answer = await runtime.send(request, START_MAX_MS);
        const said = await text(answer);
        if (answer.statusCode !== 200) return { ok: false, message: plain(said) };
        const handlers = JSON.parse(said) as string[];
        if (handlers.length === 0) {
          const message = 'No event handlers were registered. This script does nothing.';
          return { ok: false, message };
        }
        return { ok: true, startupMs: Math.round(performance.now() - from), handlers };
      } catch (error) {
        if (!(error instanceof RuntimeTimeout)) throw error;
        return { ok: false, message: 'Script startup exceeded CPU time limit.' };
      } finally {
        pending.delete(key);
      }
    };
  return { pending, over };
}

function probing(program: Program): Program {
  const probe = `countersign-probe-${randomUUID()}.mjs`;
  const source = `import * as main from ${JSON.stringify(`./${program.mainModule}`)};
const own = (of) => typeof of === 'function'
  ? Object.getOwnPropertyNames(of.prototype ?? {}).filter((name) => name !== 'constructor')
  : Object.keys(of ?? {}).filter((name) => typeof of[name] === 'function');
const handlers = JSON.stringify(own(main.default));
export default { fetch: () => new Response(handlers) };
`;
  return {
    ...program,
    mainModule: probe,
    modules: {
      ...program.modules,
      [probe]: { kind: 'js', base64: Buffer.from(source).toString('base64') },
    },
  };
}

/** The runtime's words without its own heading. */
const plain = (message: string): string =>
  message
    .replace(/^Failed to start Worker:\s*/, '')
    .replace(/countersign-probe-[0-9a-f-]+\.mjs/g, 'worker')
    .trim();

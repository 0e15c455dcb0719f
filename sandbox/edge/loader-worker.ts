/** Headers between the edge's port and its runtime; nothing of them reaches a site. */
export const TOKEN_HEADER = 'x-edge-token';
export const KEY_HEADER = 'x-edge-key';
export const PROBE_HEADER = 'x-edge-probe';

/**
 * The one Worker that the runtime starts with. It loads each site into an isolate of its own, which can
 * reach nothing: no network, and of the host only what its bindings say.
 */
export const LOADER_WORKER = `
import { WorkerEntrypoint } from 'cloudflare:workers';

const BODILESS = new Set(['GET', 'HEAD']);
const bytesOf = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
const textOf = (base64) => new TextDecoder().decode(bytesOf(base64));
const moduleOf = ({ kind, base64 }) => {
  switch (kind) {
    case 'js': return { js: textOf(base64) };
    case 'text': return { text: textOf(base64) };
    case 'json': return { json: JSON.parse(textOf(base64)) };
    case 'wasm': return { wasm: bytesOf(base64).buffer };
    default: return { data: bytesOf(base64).buffer };
  }
};

export class Assets extends WorkerEntrypoint {
  async fetch(request) {
    const { pathname, search } = new URL(request.url);
    const headers = new Headers(request.headers);
    headers.set('${KEY_HEADER}', this.ctx.props.key);
    headers.set('x-edge-path', pathname);
    headers.set('x-edge-search', search);
    headers.set('x-edge-method', request.method);
    return this.env.CTRL.fetch('http://ctrl/file', { headers, redirect: 'manual' });
  }
}

export default {
  async fetch(request, env, ctx) {
    const headers = new Headers(request.headers);
    if (headers.get('${TOKEN_HEADER}') !== env.TOKEN) return new Response(null, { status: 404 });
    const key = headers.get('${KEY_HEADER}');
    if (key === null) return new Response('ready');
    const probe = headers.get('${PROBE_HEADER}') !== null;
    for (const name of ['${TOKEN_HEADER}', '${KEY_HEADER}', '${PROBE_HEADER}']) headers.delete(name);
    const site = env.LOADER.get(key, async () => {
      const answer = await env.CTRL.fetch('http://ctrl/program', { headers: { '${KEY_HEADER}': key } });
      if (!answer.ok) throw new Error('the version is gone');
      const { program, env: own, assetsBinding } = await answer.json();
      const modules = Object.fromEntries(
        Object.entries(program.modules).map(([name, module]) => [name, moduleOf(module)]),
      );
      return {
        compatibilityDate: program.compatibilityDate,
        compatibilityFlags: program.compatibilityFlags,
        mainModule: program.mainModule,
        modules,
        env: assetsBinding === null ? own : { ...own, [assetsBinding]: ctx.exports.Assets({ props: { key } }) },
        globalOutbound: null,
      };
    });
    const url = new URL(request.url);
    url.protocol = 'https:';
    try {
      return await site.getEntrypoint().fetch(
        new Request(url, { method: request.method, headers, body: BODILESS.has(request.method) ? null : request.body, redirect: 'manual' }),
      );
    } catch (error) {
      if (probe) return new Response(String(error?.message ?? error), { status: 599 });
      return new Response('error code: 1101', { status: 500, headers: { 'content-type': 'text/plain; charset=UTF-8' } });
    }
  },
};
`;

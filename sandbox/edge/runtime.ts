import { randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { Miniflare, Response as RuntimeResponse } from 'miniflare';
import type { Request as SupplyRequest } from 'miniflare';
import { LOADER_WORKER, TOKEN_HEADER } from './loader-worker.js';
import type { Loadable } from './sites.js';
import type { EdgeAnswer, FileRequest } from './static-files.js';

/** Isolates are never let go of, so the runtime is replaced after it loaded this many versions. */
const LOADS_MAX = 200;
/** The day of the workerd that the pinned miniflare brings: it refuses later dates. */
const NEWEST_DATE = '2026-04-15';

/** What the loader asks for; undefined if there is no such version (any more). */
export interface Supply {
  program(key: string): Loadable | undefined;
  file(key: string, request: FileRequest): EdgeAnswer | undefined;
}

export interface RuntimeRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string | string[]>;
  readonly body: Uint8Array;
}

/** The code did not answer in time; where it kept the runtime busy, that was replaced. */
export class RuntimeTimeout extends Error {}

interface Engine {
  readonly miniflare: Miniflare;
  readonly port: number;
  loads: number;
  inFlight: number;
  retired: boolean;
}

/** workerd with the loader in it, started anew when it is stuck, dead or full. */
export class Runtime {
  readonly #supply: Supply;
  readonly #token = randomBytes(16).toString('hex');
  #engine: Promise<Engine>;

  constructor(supply: Supply) {
    this.#supply = supply;
    this.#engine = this.#start();
  }

  /** Resolves once the runtime answers. @throws Error if workerd can't be started. */
  async ready(): Promise<void> {
    await this.#engine;
  }

  /** Sends one request to the loader. @throws RuntimeTimeout after `timeoutMs` without an answer. */
  async send(request: RuntimeRequest, timeoutMs: number): Promise<IncomingMessage> {
    const engine = await this.#usable();
    engine.inFlight += 1;
    const done = (): void => {
      engine.inFlight -= 1;
      if (engine.retired && engine.inFlight === 0) void dispose(engine);
    };
    try {
      const answer = await ask(engine.port, this.#token, request, timeoutMs);
      answer.once('close', done);
      return answer;
    } catch (error) {
      done();
      if (!(await this.#answers(engine))) await this.#replace(engine, true);
      throw error;
    }
  }

  async close(): Promise<void> {
    await dispose(await this.#engine);
  }

  async #usable(): Promise<Engine> {
    const engine = await this.#engine;
    if (engine.loads < LOADS_MAX) return engine;
    return this.#replace(engine, false);
  }

  /** Puts a fresh engine in place of this one, unless another call has done so. */
  async #replace(engine: Engine, atOnce: boolean): Promise<Engine> {
    if (engine.retired) return this.#engine;
    engine.retired = true;
    this.#engine = this.#start();
    if (atOnce || engine.inFlight === 0) await dispose(engine);
    return this.#engine;
  }

  async #answers({ port }: Engine): Promise<boolean> {
    const ping = { method: 'GET', path: '/', headers: {}, body: new Uint8Array() };
    try {
      (await ask(port, this.#token, ping, 2_000)).resume();
      return true;
    } catch {
      return false;
    }
  }

  async #start(): Promise<Engine> {
    const counted = { loads: 0 };
    const miniflare = new Miniflare({
      host: '127.0.0.1',
      port: 0,
      cf: false,
      handleRuntimeStdio: (stdout: Readable, stderr: Readable) => {
        // What sites print is theirs.
        stdout.resume();
        stderr.resume();
      },
      modules: true,
      script: LOADER_WORKER,
      compatibilityDate: NEWEST_DATE,
      workerLoaders: { LOADER: {} },
      bindings: { TOKEN: this.#token },
      serviceBindings: {
        CTRL: (request: SupplyRequest) => {
          if (new URL(request.url).pathname === '/program') counted.loads += 1;
          return this.#supplied(request);
        },
      },
    });
    const url = await miniflare.ready;
    return Object.assign(counted, {
      miniflare,
      port: Number(url.port),
      inFlight: 0,
      retired: false,
    });
  }

  #supplied({ url, headers }: SupplyRequest): RuntimeResponse {
    const key = headers.get('x-edge-key') ?? '';
    if (new URL(url).pathname === '/program') {
      const found = this.#supply.program(key);
      return found === undefined
        ? new RuntimeResponse(null, { status: 404 })
        : RuntimeResponse.json(clamped(found));
    }
    const answer = this.#supply.file(key, {
      method: headers.get('x-edge-method') ?? 'GET',
      path: headers.get('x-edge-path') ?? '/',
      search: headers.get('x-edge-search') ?? '',
      ifNoneMatch: headers.get('if-none-match'),
    });
    if (answer === undefined) return new RuntimeResponse(null, { status: 404 });
    const body = answer.body.length === 0 ? null : answer.body;
    return new RuntimeResponse(body, { status: answer.status, headers: answer.headers });
  }
}

/** The runtime knows the days up to its own release: a later date means the newest behaviour it has. */
function clamped(loadable: Loadable): Loadable {
  const { program } = loadable;
  if (program.compatibilityDate <= NEWEST_DATE) return loadable;
  return { ...loadable, program: { ...program, compatibilityDate: NEWEST_DATE } };
}

async function dispose({ miniflare }: Engine): Promise<void> {
  await miniflare.dispose();
}

function ask(
  port: number,
  token: string,
  { method, path, headers, body }: RuntimeRequest,
  timeoutMs: number,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      {
        host: '127.0.0.1',
        port,
        method,
        path,
        agent: false,
        headers: { ...headers, [TOKEN_HEADER]: token, 'content-length': body.length },
      },
      (answer) => {
        clearTimeout(timer);
        resolve(answer);
      },
    );
    const timer = setTimeout(() => {
      sent.destroy(new RuntimeTimeout(`no answer within ${timeoutMs} ms`));
    }, timeoutMs);
    sent.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    sent.end(body);
  });
}

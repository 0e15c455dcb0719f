import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import Cloudflare from 'cloudflare';
import { SandboxControl } from '../../../sandbox/control-client.js';
import type { WorldCredentials } from '../../../sandbox/core/credentials.js';
import type { RunningSandbox } from '../../../sandbox/start.js';
import { startSandbox } from '../../../sandbox/start.js';
import { freshWorld } from '../stand.js';

/** The whole sandbox, with its edge, on free ports over a folder of its own. */
export interface FullStand {
  readonly running: RunningSandbox;
  readonly control: SandboxControl;
  /** A world of its own, with a client and an account in it. */
  world(): Promise<Tenant>;
  close(): Promise<void>;
}

/** One world as its tests use it. */
export interface Tenant {
  readonly name: string;
  readonly credentials: WorldCredentials;
  readonly cf: Cloudflare;
  readonly account: string;
  readonly person: (
    body: { readonly do: string } & Readonly<Record<string, unknown>>,
  ) => Promise<unknown>;
}

export async function startFullStand(): Promise<FullStand> {
  const dataDir = await mkdtemp(join(tmpdir(), 'countersign-sandbox-'));
  const running = await startSandbox({ dataDir });
  const control = new SandboxControl(running);
  return {
    running,
    control,
    world: async () => {
      const name = freshWorld();
      const credentials = await control.credentials(name);
      const cf = cloudflareClient(running.apiUrl, credentials.cloudflare.actions);
      const { id } = await cf.accounts.create({ name: 'Acme', standalone: true, ...key('first') });
      const person: Tenant['person'] = (body) =>
        control.people(name, { provider: 'cloudflare', ...body });
      return { name, credentials, cf, account: id, person };
    },
    close: async () => {
      await running.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** The header that account creation takes, under the name that the package gives it. */
export const key = (value: string) => ({ 'Idempotency-Key': value });

/** The real SDK as the product uses it: one send, no pooled socket, no retries of its own. */
export function cloudflareClient(apiUrl: string, apiToken: string): Cloudflare {
  const sendOnce: typeof fetch = (input, init = {}) =>
    fetch(input, {
      ...init,
      headers: { ...Object.fromEntries(new Headers(init.headers)), connection: 'close' },
    });
  return new Cloudflare({
    apiToken,
    baseURL: `${apiUrl}/client/v4`,
    maxRetries: 0,
    timeout: 20_000,
    fetch: sendOnce,
  });
}

export interface Visit {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

/** A visitor of a site: what the edge answers for a host. */
export function visit(
  edgeUrl: string,
  host: string,
  path = '/',
  more: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Visit> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', headers = {}, body } = more;
    const sent = request(
      edgeUrl + path,
      { method, headers: { host, ...headers }, agent: false },
      (answer) => {
        text(answer).then((said) => {
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: said });
        }, reject);
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Asks again until the answer fits. @throws Error with the last answer after 15 s. */
export async function until<T>(ask: () => Promise<T>, fits: (value: T) => boolean): Promise<T> {
  const deadline = Date.now() + 15_000;
  for (;;) {
    const value = await ask();
    if (fits(value)) return value;
    if (Date.now() > deadline) throw new Error(`still ${JSON.stringify(value)}`);
  }
}

/** Registers a domain and waits for its zone to be active. Answers the zone's id. */
export async function domainWithZone({ cf, account }: Tenant, name: string): Promise<string> {
  await cf.registrar.registrations.create({ account_id: account, domain_name: name });
  const page = await until(
    () => cf.zones.list({ name, account: { id: account } }),
    ({ result }) => result[0]?.status === 'active',
  );
  return page.result[0]!.id;
}

/** A file is known by 32 hexadecimal digits. */
const hashOf = (words: string): string =>
  createHash('sha256').update(words).digest('hex').slice(0, 32);

const MODULE = 'application/javascript+module';

/** The form of a Worker upload: metadata and ES modules by their names. */
export function workerForm(
  modules: Readonly<Record<string, string>>,
  metadata: Readonly<Record<string, unknown>> = {},
): FormData {
  const form = new FormData();
  const whole = {
    main_module: Object.keys(modules)[0],
    compatibility_date: '2026-04-01',
    ...metadata,
  };
  form.append('metadata', new Blob([JSON.stringify(whole)], { type: 'application/json' }));
  for (const [name, code] of Object.entries(modules))
    form.append(name, new File([code], name, { type: MODULE }));
  return form;
}

/** Uploads and deploys a Worker through the real SDK's client. */
export const deploy = (
  { cf, account }: Tenant,
  script: string,
  code: string | Readonly<Record<string, string>>,
  metadata: Readonly<Record<string, unknown>> = {},
): Promise<unknown> =>
  cf.put(`/accounts/${account}/workers/scripts/${script}`, {
    body: workerForm(typeof code === 'string' ? { 'index.mjs': code } : code, metadata),
  });

/** Code whose every answer is this text. */
export const saying = (words: string): string =>
  `export default { fetch: () => new Response(${JSON.stringify(words)}) };`;

/** Uploads static files; answers the token that a deploy names them by. */
export async function uploadFiles(
  { cf, account }: Tenant,
  script: string,
  files: Readonly<Record<string, { text: string; type: string }>>,
): Promise<string> {
  const byHash = new Map(
    Object.entries(files).map(([path, file]) => [hashOf(path + file.text), file]),
  );
  const session = await cf.workers.scripts.assets.upload.create(script, {
    account_id: account,
    manifest: Object.fromEntries(
      Object.entries(files).map(([path, { text: words }]) => [
        path,
        { hash: hashOf(path + words), size: Buffer.byteLength(words) },
      ]),
    ),
  });
  let jwt = session.jwt ?? '';
  for (const bucket of session.buckets ?? []) {
    const body = Object.fromEntries(
      bucket.map((hash) => {
        const { text: words, type } = byHash.get(hash)!;
        return [hash, new File([Buffer.from(words).toString('base64')], hash, { type })];
      }),
    );
    const answer = await cf.workers.assets.upload.create(
      { account_id: account, base64: true, body: body as unknown as Record<string, string> },
      { headers: { authorization: `Bearer ${session.jwt ?? ''}` } },
    );
    jwt = answer.jwt ?? jwt;
  }
  return jwt;
}

import type Cloudflare from 'cloudflare';
import { BUNDLE_PUBLIC } from '../../domain/bundle.js';
import type { SiteFile } from '../../gateway/operation.js';

/** Types under which files are served: what a browser needs to show a site, else bytes. */
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  mjs: 'text/javascript; charset=utf-8',
  json: 'application/json',
  txt: 'text/plain; charset=utf-8',
  xml: 'application/xml',
  svg: 'image/svg+xml',
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  avif: 'image/avif',
  ico: 'image/x-icon',
  woff: 'font/woff',
  woff2: 'font/woff2',
  pdf: 'application/pdf',
  webmanifest: 'application/manifest+json',
  wasm: 'application/wasm',
};

const typeOf = (path: string): string =>
  CONTENT_TYPES[path.split('.').at(-1)?.toLowerCase() ?? ''] ?? 'application/octet-stream';

/** A file is known by the first 32 hex digits of its SHA-256 (Workers static assets, direct upload). */
const hashOf = ({ sha256 }: SiteFile): string => sha256.replace(/^sha256:/, '').slice(0, 32);

const isPublic = ({ path }: SiteFile): boolean => path.startsWith(BUNDLE_PUBLIC);
const publicPath = ({ path }: SiteFile): string => `/${path.slice(BUNDLE_PUBLIC.length)}`;

/**
 * Uploads the files of `public/` that Cloudflare does not hold yet; answers the token that a deploy names them by, or
 * nothing when there are none.
 */
export async function uploadAssets(
  client: Cloudflare,
  { account, script }: { readonly account: string; readonly script: string },
  files: readonly SiteFile[],
): Promise<string | undefined> {
  const assets = files.filter(isPublic);
  if (assets.length === 0) return undefined;
  const byHash = new Map(assets.map((file) => [hashOf(file), file]));
  const manifest = Object.fromEntries(
    assets.map((file) => [publicPath(file), { hash: hashOf(file), size: file.bytes.length }]),
  );
  const session = await client.workers.scripts.assets.upload.create(script, {
    account_id: account,
    manifest,
  });
  let jwt = session.jwt ?? '';
  for (const bucket of session.buckets ?? []) {
    const body = Object.fromEntries(
      bucket.flatMap((hash) => {
        const file = byHash.get(hash);
        if (file === undefined) return [];
        const base64 = Buffer.from(file.bytes).toString('base64');
        // A part without a type of its own would lose the type that the file is served under.
        return [[hash, new File([base64], hash, { type: typeOf(file.path) })]];
      }),
    );
    const answer = await client.workers.assets.upload.create(
      { account_id: account, base64: true, body: body as unknown as Record<string, string> },
      { headers: { authorization: `Bearer ${session.jwt ?? ''}` } },
    );
    // The last bucket answers with the token of the whole.
    jwt = answer.jwt ?? jwt;
  }
  return jwt;
}

/** The multipart form of a Worker upload: a `metadata` part of JSON, then each module under its own name. */
export function workerForm(
  files: readonly SiteFile[],
  of: {
    readonly entry: string;
    readonly compatibilityDate: string;
    readonly tag: string;
    readonly message: string;
    readonly assetsJwt?: string;
  },
): FormData {
  const { assetsJwt } = of;
  const metadata = {
    main_module: of.entry,
    compatibility_date: of.compatibilityDate,
    annotations: { 'workers/tag': of.tag, 'workers/message': of.message },
    ...(assetsJwt === undefined
      ? {}
      : { bindings: [{ type: 'assets', name: 'ASSETS' }], assets: { jwt: assetsJwt, config: {} } }),
  };
  const form = new FormData();
  form.append('metadata', new Blob([JSON.stringify(metadata)], { type: 'application/json' }));
  for (const file of files.filter((candidate) => !isPublic(candidate)))
    form.append(file.path, new File([file.bytes], file.path, { type: moduleType(file.path) }));
  return form;
}

function moduleType(path: string): string {
  if (/\.m?js$/.test(path)) return 'application/javascript+module';
  if (path.endsWith('.wasm')) return 'application/wasm';
  return /\.(txt|html|md|css|json)$/.test(path) ? 'text/plain' : 'application/octet-stream';
}

import type { AssetRecord, AssetsRecord } from '../cloudflare/state.js';

/** One answer of the edge. */
export interface EdgeAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export interface FileRequest {
  readonly method: string;
  readonly path: string;
  readonly search: string;
  readonly ifNoneMatch: string | null;
}

const EMPTY = new Uint8Array();

type Found = { kind: 'file'; file: AssetRecord } | { kind: 'moved'; path: string };

/** The file that a path means, or where it moved to; undefined if there is none. */
export function lookUp(assets: AssetsRecord, rawPath: string): Found | undefined {
  const path = decoded(rawPath);
  if (path === undefined) return undefined;
  const at = (name: string): AssetRecord | undefined =>
    Object.hasOwn(assets.files, name) ? assets.files[name] : undefined;
  const exact = at(path);
  if (assets.htmlHandling === 'none')
    return exact === undefined ? undefined : { kind: 'file', file: exact };
  // Each page has one address: /page for page.html, /folder/ for folder/index.html.
  if (path.endsWith('/index.html') && exact !== undefined)
    return { kind: 'moved', path: path.slice(0, -'index.html'.length) };
  if (path.endsWith('.html') && exact !== undefined)
    return { kind: 'moved', path: path.slice(0, -'.html'.length) };
  if (exact !== undefined) return { kind: 'file', file: exact };
  if (path.endsWith('/')) {
    const index = at(`${path}index.html`);
    if (index !== undefined) return { kind: 'file', file: index };
    const bare = path.slice(0, -1);
    return at(`${bare}.html`) === undefined ? undefined : { kind: 'moved', path: bare };
  }
  if (path.endsWith('/index') && at(`${path}.html`) !== undefined)
    return { kind: 'moved', path: path.slice(0, -'index'.length) };
  const page = at(`${path}.html`);
  if (page !== undefined) return { kind: 'file', file: page };
  return at(`${path}/index.html`) === undefined ? undefined : { kind: 'moved', path: `${path}/` };
}

function decoded(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

/** Answers from the files alone: the file, its other address, or what the site has for "not found". */
export function serveFile(
  assets: AssetsRecord,
  bytesOf: (asset: AssetRecord) => Buffer,
  request: FileRequest,
): EdgeAnswer {
  const found = lookUp(assets, request.path);
  if (found !== undefined && request.method !== 'GET' && request.method !== 'HEAD')
    return { status: 405, headers: {}, body: EMPTY };
  if (found?.kind === 'moved')
    return {
      status: 307,
      headers: { location: encodeURI(found.path) + request.search },
      body: EMPTY,
    };
  if (found !== undefined) return fileAnswer(found.file, 200, bytesOf, request);
  const instead = insteadOf(assets, request.path);
  return instead === undefined
    ? { status: 404, headers: {}, body: EMPTY }
    : fileAnswer(instead.file, instead.status, bytesOf, request);
}

function fileAnswer(
  file: AssetRecord,
  status: number,
  bytesOf: (asset: AssetRecord) => Buffer,
  { ifNoneMatch }: FileRequest,
): EdgeAnswer {
  const etag = `"${file.hash}"`;
  const headers = {
    etag,
    'cache-control': 'public, max-age=0, must-revalidate',
    ...(file.contentType === '' ? {} : { 'content-type': file.contentType }),
  };
  if (status === 200 && ifNoneMatch === etag) return { status: 304, headers, body: EMPTY };
  return { status, headers, body: bytesOf(file) };
}

/** `404-page`: the nearest 404.html upwards. `single-page-application`: the first page. */
function insteadOf(
  assets: AssetsRecord,
  path: string,
): { file: AssetRecord; status: number } | undefined {
  if (assets.notFoundHandling === 'none') return undefined;
  if (assets.notFoundHandling === 'single-page-application') {
    const file = assets.files['/index.html'];
    return file === undefined ? undefined : { file, status: 200 };
  }
  for (let folder = path; folder !== '';) {
    folder = folder.slice(0, folder.lastIndexOf('/'));
    const file = assets.files[`${folder}/404.html`];
    if (file !== undefined) return { file, status: 404 };
  }
  return undefined;
}

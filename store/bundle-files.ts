import type { Executor } from './connect.js';

export interface StoredFile {
  readonly path: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly sha256: string;
}

/** The files of a stored bundle, by path. Empty when no such bundle is stored. */
export async function bundleFiles(db: Executor, digest: string): Promise<StoredFile[]> {
  const rows = await db
    .selectFrom('bundle_files')
    .select(['path', 'content', 'sha256'])
    .where('digest', '=', digest)
    .orderBy('path')
    .execute();
  return rows.map(({ path, content, sha256 }) => ({
    path,
    bytes: new Uint8Array(content),
    sha256,
  }));
}

/** Count and size of a stored bundle, or undefined. */
export async function bundleSize(
  db: Executor,
  digest: string,
): Promise<{ files: number; bytes: number } | undefined> {
  return db
    .selectFrom('bundles')
    .select(['files', 'bytes'])
    .where('digest', '=', digest)
    .executeTakeFirst();
}

import { manifestDigestOf, manifestOf } from '../domain/bundle.js';
import { digestOfBytes, sha256Hex, utf8 } from '../domain/canonical.js';
import { Failure } from '../domain/errors.js';
import type { Executor } from './connect.js';

export interface StoredFile {
  readonly path: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Lower-case hex, of these very bytes. */
  readonly sha256: string;
}

/**
 * The files of a stored bundle, by path; empty when no such bundle is stored. Each byte is hashed anew: what people
 * approved is the digest, and a row is only a claim about it.
 * @throws BUNDLE_DAMAGED when what is stored is not what the digest names
 */
export async function bundleFiles(db: Executor, digest: string): Promise<StoredFile[]> {
  const rows = await db
    .selectFrom('bundle_files')
    .select(['path', 'content'])
    .where('digest', '=', digest)
    .orderBy('path')
    .execute();
  if (rows.length === 0 && (await bundleSize(db, digest)) === undefined) return [];
  const files = rows.map(({ path, content }) => {
    const bytes = new Uint8Array(content);
    return { path, bytes, sha256: sha256Hex(bytes) };
  });
  const entries = files.map(({ bytes, ...file }) => ({ ...file, size: bytes.byteLength }));
  // guard: the digest is that of the bytes at hand.
  if (manifestDigestOf(manifestOf(entries)) !== digest) throw damaged(digest);
  return files;
}

/** Count and size of a stored bundle, or undefined. @throws BUNDLE_DAMAGED when its manifest is not what the digest names */
export async function bundleSize(
  db: Executor,
  digest: string,
): Promise<{ files: number; bytes: number } | undefined> {
  const row = await db
    .selectFrom('bundles')
    .select(['manifest'])
    .where('digest', '=', digest)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  // guard: cards show the size, so it is read from the manifest that the digest names.
  if (digestOfBytes(utf8(row.manifest)) !== digest) throw damaged(digest);
  const { files } = JSON.parse(row.manifest) as { files: readonly { size: number }[] };
  return { files: files.length, bytes: files.reduce((sum, { size }) => sum + size, 0) };
}

const damaged = (digest: string): Failure =>
  new Failure(
    'BUNDLE_DAMAGED',
    `the stored site is not the one that ${digest} names: somebody has changed it in the database`,
  );

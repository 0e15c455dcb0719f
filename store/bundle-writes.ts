import { sql } from 'kysely';
import { bundleBytes, bundleProblems, manifestDigestOf, manifestOf } from '../domain/bundle.js';
import { canonicalize, sha256Hex } from '../domain/canonical.js';
import { Failure } from '../domain/errors.js';
import type { Database } from './connect.js';

/** A packed site as it is stored: once per digest, never changed. */
export interface NewBundle {
  readonly digest: string;
  readonly files: readonly { readonly path: string; readonly bytes: Uint8Array }[];
}

/**
 * Stores a bundle unless it is there already; whether it was new.
 * @throws BUNDLE_DAMAGED when the digest is not that of these bytes, or when they are no site
 */
export async function storeBundle(db: Database, { digest, files }: NewBundle): Promise<boolean> {
  const entries = files.map(({ path, bytes }) => ({
    path,
    size: bytes.byteLength,
    sha256: sha256Hex(bytes),
  }));
  const manifest = manifestOf(entries);
  const [problem] = bundleProblems(entries);
  // guard: nothing is stored under a digest that is not its own.
  if (problem !== undefined || manifestDigestOf(manifest) !== digest)
    throw new Failure('BUNDLE_DAMAGED', `not stored: ${problem ?? `the bytes are not ${digest}`}`);
  return db.transaction().execute(async (tx) => {
    const written = await tx
      .insertInto('bundles')
      .values({
        digest,
        manifest: canonicalize(manifest),
        files: entries.length,
        bytes: bundleBytes(entries),
        stored_at: sql<Date>`countersign_now()`,
      })
      .onConflict((conflict) => conflict.column('digest').doNothing())
      .executeTakeFirst();
    if ((written.numInsertedOrUpdatedRows ?? 0n) === 0n) return false;
    for (const [index, { path, bytes }] of files.entries())
      await tx
        .insertInto('bundle_files')
        .values({ digest, path, sha256: entries[index]?.sha256 ?? '', content: bytes })
        .execute();
    return true;
  });
}

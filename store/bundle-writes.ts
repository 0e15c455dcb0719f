import { sql } from 'kysely';
import type { Database } from './connect.js';

/** A packed site as it is stored: once per digest, never changed. */
export interface NewBundle {
  readonly digest: string;
  /** Canonical JSON of the manifest. */
  readonly manifest: string;
  readonly files: readonly {
    readonly path: string;
    readonly sha256: string;
    readonly bytes: Uint8Array;
  }[];
}

/** Stores a bundle unless it is there already; whether it was new. */
export async function storeBundle(db: Database, bundle: NewBundle): Promise<boolean> {
  return db.transaction().execute(async (tx) => {
    const written = await tx
      .insertInto('bundles')
      .values({
        digest: bundle.digest,
        manifest: bundle.manifest,
        files: bundle.files.length,
        bytes: bundle.files.reduce((sum, { bytes }) => sum + bytes.byteLength, 0),
        stored_at: sql<Date>`countersign_now()`,
      })
      .onConflict((conflict) => conflict.column('digest').doNothing())
      .executeTakeFirst();
    if ((written.numInsertedOrUpdatedRows ?? 0n) === 0n) return false;
    for (const { path, sha256, bytes } of bundle.files)
      await tx
        .insertInto('bundle_files')
        .values({ digest: bundle.digest, path, sha256, content: bytes })
        .execute();
    return true;
  });
}

import { z } from 'zod';
import {
  BUNDLE_ENTRY,
  BUNDLE_FILES_MAX,
  bundleProblems,
  credentialIn,
  manifestDigestOf,
  manifestOf,
} from '../domain/bundle.js';
import { sha256Hex } from '../domain/canonical.js';
import { workerProblem } from '../client/worker-syntax.js';
import { type NewBundle, storeBundle } from '../store/bundle-writes.js';
import { Problem } from './problem.js';
import type { Asked, Handler } from './routes.js';
import { bodyAs } from './routes-runs.js';

interface Part {
  readonly path: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const bundleBody = z.strictObject({
  files: z
    .array(z.strictObject({ path: z.string().max(400), content: z.base64() }))
    .min(1)
    .max(BUNDLE_FILES_MAX),
});

/** Stores a site out of its files' bytes. The digest is of what came; a path of this machine means nothing here. */
export const postBundle: Handler = async (asked) => {
  const site = readSite(asked);
  const made = await storeBundle(asked.parts.gateway.db, site);
  return {
    status: made ? 201 : 200,
    json: { bundle: site.digest, files: site.files.length },
  };
};

/** A site as it is uploaded, judged before anything of it is stored. @throws Problem 400, 415, 422 */
export function readSite(asked: Pick<Asked, 'body' | 'contentType'>): NewBundle {
  const files = partsOf(asked).toSorted((one, other) => (one.path < other.path ? -1 : 1));
  for (const { bytes, path } of files) {
    const text = Buffer.from(bytes).toString('latin1');
    const secret = credentialIn(text);
    // guard: what looks like a credential is refused here as it is where sites are packed.
    if (secret !== undefined) throw refused(`a file seems to hold ${secret}`);
    const problem =
      path === BUNDLE_ENTRY ? workerProblem(new TextDecoder().decode(bytes)) : undefined;
    if (problem !== undefined) throw refused(`the Worker ${problem}`);
  }
  const entries = files.map(({ path, bytes }) => ({
    path,
    size: bytes.byteLength,
    sha256: sha256Hex(bytes),
  }));
  const [problem] = bundleProblems(entries);
  if (problem !== undefined) throw new Problem(422, 'bundle-damaged', `not stored: ${problem}`);
  return { digest: manifestDigestOf(manifestOf(entries)), files };
}

const refused = (detail: string): Problem => new Problem(422, 'bundle-refused', detail);

function partsOf(asked: Pick<Asked, 'body' | 'contentType'>): Part[] {
  return bodyAs(bundleBody, asked).files.map(({ content, path }) => ({
    path,
    bytes: new Uint8Array(Buffer.from(content, 'base64')),
  }));
}

import { z } from 'zod';
import { issueCredential } from '../core/credentials.js';
import { uploadRole } from './access.js';
import type { Call, Endpoint } from './call.js';
import { endpoint, formBody, jsonBody, param } from './call.js';
import { choice } from './choices.js';
import type { UploadClaims } from './jwt.js';
import { signUpload, verifyUpload } from './jwt.js';
import type { Reply } from './reply.js';
import { hexId, ok, Refusal, sha256 } from './reply.js';
import type { UploadSession } from './state.js';

const FILES_MAX = 20_000;
const BYTES_MAX = 25 * 1024 * 1024;

const manifestSchema = z.object({
  manifest: z.record(
    z.string().regex(/^\//, 'paths start with /'),
    z.object({
      hash: z.string().regex(/^[0-9a-f]{32}$/, 'a hash is 32 hexadecimal characters'),
      size: z.int().min(0).max(BYTES_MAX, 'a file may have 25 MiB'),
    }),
  ),
});

/** The routes of static assets. `secret` is the sandbox's: upload tokens carry its credential. */
export function assetEndpoints(secret: string): readonly Endpoint[] {
  const sign = (call: Call, session: UploadSession, kind: UploadClaims['kind']): string => {
    const { id, accountId } = session;
    const world = call.world.name;
    const sandbox = issueCredential(secret, {
      provider: 'cloudflare',
      world,
      role: uploadRole(id),
    });
    const claims = { kind, session: id, account: accountId, sandbox };
    return signUpload(call.state, claims, call.now());
  };

  /** Says which files are not known yet, in buckets; knows them all: the token is the final one. */
  const begin = async (call: Call): Promise<Reply> => {
    const { manifest } = await jsonBody(call, manifestSchema, 10000);
    if (Object.keys(manifest).length > FILES_MAX) {
      throw new Refusal(400, 10000, `A manifest holds at most ${FILES_MAX} files`);
    }
    const accountId = param(call, 'account_id');
    const known = (call.state.assets[accountId] ??= {});
    const hashes = new Set(Object.values(manifest).map(({ hash }) => hash));
    const missing = [...hashes].filter((hash) => !Object.hasOwn(known, hash));
    const script = param(call, 'script_name');
    const session: UploadSession = { id: hexId(), accountId, script, manifest, missing };
    call.state.uploads[session.id] = session;
    const size = Math.max(1, choice(call.state, 'assets.bucket-size'));
    const buckets = Array.from({ length: Math.ceil(missing.length / size) }, (_, index) =>
      missing.slice(index * size, (index + 1) * size),
    );
    const kind = missing.length === 0 ? 'completion' : 'upload';
    return ok({ jwt: sign(call, session, kind), buckets });
  };

  /** Takes files by their hashes; the last one answers 201 with the token that a deploy needs. */
  const upload = async (call: Call): Promise<Reply> => {
    const session = sessionOf(call);
    if (call.query.get('base64') !== 'true') {
      throw new Refusal(400, 10000, 'Assets are uploaded with base64=true');
    }
    const form = await formBody(call.request);
    if (form === null) throw new Refusal(400, 10000, 'Assets are uploaded as multipart/form-data');
    const parts: [string, string | File][] = [...form.entries()];
    const sizes = new Map(Object.values(session.manifest).map(({ hash, size }) => [hash, size]));
    const known = (call.state.assets[session.accountId] ??= {});
    for (const [hash, value] of parts) {
      const size = sizes.get(hash);
      if (size === undefined) throw new Refusal(400, 10000, `No file has the hash ${hash}`);
      const text = typeof value === 'string' ? value : await value.text();
      const bytes = Buffer.from(text, 'base64');
      if (bytes.length !== size) {
        throw new Refusal(400, 10000, `${hash} has ${bytes.length} bytes, its manifest ${size}`);
      }
      // A part without a type of its own loses the type under which the file would be served.
      const contentType = typeof value === 'string' || !value.type ? '' : value.type;
      const blob = sha256(bytes);
      call.state.blobs[blob] = bytes.toString('base64');
      known[hash] = { hash, size, contentType, blob };
    }
    session.missing = session.missing.filter((hash) => !Object.hasOwn(known, hash));
    if (session.missing.length > 0) return ok({ jwt: null }, 202);
    return ok({ jwt: sign(call, session, 'completion') }, 201);
  };

  return [
    endpoint(
      'POST',
      '/accounts/:account_id/workers/scripts/:script_name/assets-upload-session',
      { account: 'Workers Scripts Write' },
      begin,
    ),
    endpoint('POST', '/accounts/:account_id/workers/assets/upload', { any: 'upload' }, upload),
  ];
}

function sessionOf(call: Call): UploadSession {
  const jwt = (call.header('authorization') ?? '').replace(/^Bearer\s+/i, '');
  const claims = verifyUpload(call.state, jwt, call.now());
  const session = claims === null ? undefined : call.state.uploads[claims.session];
  if (session?.accountId !== param(call, 'account_id') || claims?.kind !== 'upload') {
    throw new Refusal(403, 10000, 'Authentication error', { reason: 'upload token refused' });
  }
  return session;
}

import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { UsageError } from '../config/errors.js';
import type { Config } from '../config/load.js';
import { createPrivateFile, readPrivateFile } from '../config/private-files.js';
import { createEgress, type Egress } from '../gateway/egress.js';
import type { SecretPurpose } from '../gateway/notice-dispatch.js';

/** What sending notices takes beside the database. */
export interface NoticeSettings {
  readonly egress: Egress;
  readonly secretOf: (name: string, purpose: SecretPurpose) => string | undefined;
  readonly publicUrl?: string;
}

/** A key shorter than this signs nothing that anybody should believe. In characters. */
const SECRET_MIN = 32;

/**
 * Notices leave by a way of their own, never by the sandbox's edge. A secret is read anew at each use, so that a changed
 * file counts at once; on one person's machine the key of a new place is made when it is first needed.
 */
export function noticeSettings(config: Config): NoticeSettings {
  const { embeddedReceiver, ports, publicUrl } = config.notices;
  return {
    egress: createEgress({
      ...(embeddedReceiver === undefined ? {} : { edgeOverride: embeddedReceiver }),
      ...(ports === undefined ? {} : { ports }),
    }),
    secretOf: (name, purpose) => {
      try {
        return readSecret(config, name, purpose);
      } catch (error) {
        // A file that others may read holds no secret: what needs it waits, and a person is told when it gives up.
        if (error instanceof UsageError) return undefined;
        throw error;
      }
    },
    ...(publicUrl === undefined ? {} : { publicUrl }),
  };
}

/** The file that holds a secret of the policy by default: `secrets/notices/<name>.key` or `.path` of the data folder. */
export function noticeSecretFile(dataDir: string, name: string, purpose: SecretPurpose): string {
  return path.join(dataDir, 'secrets', 'notices', `${name}.${purpose === 'sign' ? 'key' : 'path'}`);
}

function readSecret(config: Config, name: string, purpose: SecretPurpose): string | undefined {
  const named = config.notices.secrets?.[name];
  const file = named ?? noticeSecretFile(config.dataDir, name, purpose);
  if (named === undefined && purpose === 'sign' && config.mode === 'embedded') {
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    if (readPrivateFile(file) === undefined)
      createPrivateFile(file, `${randomBytes(32).toString('base64url')}\n`);
  }
  const value = readPrivateFile(file)?.trim();
  if (value === undefined || value === '') return undefined;
  return purpose === 'sign' && value.length < SECRET_MIN ? undefined : value;
}

import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { promisify } from 'node:util';
import { readPrivateFile } from '../config/private-files.js';
import type { SecretSource } from './rotation.js';

/** A hook is asked for at most so long, and anew at this distance. In ms. */
const HOOK_TIMEOUT_MS = 10_000;
const HOOK_EVERY_MS = 60_000;
const HOOK_BYTES_MAX = 64 * 1024;

/** A file of one's own: read again when it is another file or was written since. */
export function fileSource(file: string): SecretSource {
  return {
    stamp: () => {
      const { ino, mtimeMs, ctimeMs, size } = statSync(file);
      return [ino, mtimeMs, ctimeMs, size].join(' ');
    },
    read: () => {
      const text = readPrivateFile(file)?.trim();
      return text === undefined || text === ''
        ? Promise.reject(new Error('its file is missing or empty'))
        : Promise.resolve(text);
    },
  };
}

/** A program that prints the secret: how a key service is asked. It gets PATH alone, and no shell. */
export function commandSource(command: readonly string[], nowMs = () => Date.now()): SecretSource {
  const [program = '', ...args] = command;
  return {
    stamp: () => everyMinute(nowMs()),
    read: async () => {
      let said: string;
      try {
        const { stdout } = await promisify(execFile)(program, args, {
          env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
          timeout: HOOK_TIMEOUT_MS,
          maxBuffer: HOOK_BYTES_MAX,
          encoding: 'utf8',
          shell: false,
        });
        said = stdout.trim();
      } catch {
        // What it printed may be half a secret.
        throw new Error('its command failed or took too long');
      }
      if (said === '') throw new Error('its command printed nothing');
      return said;
    },
  };
}

/** A key service over HTTP on this machine, or over HTTPS: answers the secret as text. */
export function urlSource(
  of: { readonly url: string; readonly tokenFile?: string | undefined },
  nowMs = () => Date.now(),
): SecretSource {
  return {
    stamp: () => everyMinute(nowMs()),
    read: async () => {
      const token = of.tokenFile === undefined ? undefined : readPrivateFile(of.tokenFile)?.trim();
      let said: string;
      try {
        const answer = await fetch(of.url, {
          headers: {
            connection: 'close',
            ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          },
          redirect: 'error',
          signal: AbortSignal.timeout(HOOK_TIMEOUT_MS),
        });
        if (!answer.ok) throw new Error(`it answered ${answer.status}`);
        said = (await answer.text()).trim();
      } catch {
        throw new Error('its key service gave no answer');
      }
      if (said === '' || said.length > HOOK_BYTES_MAX)
        throw new Error('its key service answered nothing');
      return said;
    },
  };
}

const everyMinute = (nowMs: number): string => String(Math.floor(nowMs / HOOK_EVERY_MS));

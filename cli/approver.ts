import path from 'node:path';
import { FileRefused } from '../client/errors.js';
import { loadKeyFile, readKeyFile, type SigningKey } from '../client/keys.js';
import type { Terminal } from '../client/terminal.js';
import { UsageError } from '../config/errors.js';
import { findKey } from '../store/people.js';
import type { Context } from './context.js';

/** A person who has proved to be at the terminal: the key is unlocked and enrolled. */
export interface Approver {
  readonly personId: string;
  readonly name: string;
  readonly key: SigningKey;
}

/** The enrolled person that a key file belongs to; the file stays locked. @throws UsageError, FileRefused */
export async function ownerOf(context: Context, file: string): Promise<Omit<Approver, 'key'>> {
  const full = path.resolve(context.io.cwd, file);
  const { keyId } = readKeyFile(full);
  const found = await findKey(await context.database(), keyId);
  if (found === undefined)
    throw new UsageError({
      what: `the key ${keyId} is not enrolled here`,
      where: full,
      remedy: `Enrol it with: countersign keys enrol ${file} --name "Your Name"`,
    });
  if (found.key.revoked_at !== null)
    throw new UsageError({
      what: `the key ${keyId} was revoked`,
      where: full,
      remedy: 'Make a new one with: countersign keys new FILE',
    });
  return { personId: found.person.person_id, name: found.person.name };
}

const TRIES = 3;

/** Unlocks a key file by its passphrase, which the person types; three tries. @throws FileRefused */
export async function unlock(
  context: Context,
  terminal: Terminal,
  file: string,
): Promise<SigningKey> {
  const full = path.resolve(context.io.cwd, file);
  readKeyFile(full);
  for (let left = TRIES; ; left -= 1) {
    const passphrase = await terminal.askHidden(`Passphrase of ${path.basename(file)}: `);
    try {
      return await loadKeyFile(full, passphrase);
    } catch (error) {
      if (!(error instanceof FileRefused) || left <= 1) throw error;
      terminal.write('That is not the passphrase.\n');
    }
  }
}

/** The enrolled person of a key file, unlocked at the terminal after a line that says what is signed. @throws FileRefused */
export async function unlocked(context: Context, file: string, said: string): Promise<Approver> {
  const terminal = context.io.openTerminal();
  try {
    const owner = await ownerOf(context, file);
    terminal.write(`${said}\n`);
    return { ...owner, key: await unlock(context, terminal, file) };
  } finally {
    terminal.close();
  }
}

/** `--key`, which every signing verb needs. @throws UsageError */
export function keyOption(options: { readonly key?: string }, command: string): string {
  if (options.key !== undefined) return options.key;
  throw new UsageError({
    what: 'this needs a signature, and --key names no key file',
    remedy: `Say which: ${command} --key FILE (make one with: countersign keys new FILE)`,
  });
}

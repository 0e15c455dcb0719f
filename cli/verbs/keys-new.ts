import path from 'node:path';
import { FileRefused } from '../../client/errors.js';
import { newKeyFile, weakPassphrase } from '../../client/keys.js';
import type { Terminal } from '../../client/terminal.js';
import type { Context } from '../context.js';
import { fields } from '../style.js';

/** `keys new FILE`: an encrypted Ed25519 key, its passphrase typed twice. */
export async function keysNew(context: Context, file: string): Promise<0> {
  const full = path.resolve(context.io.cwd, file);
  const terminal = context.io.openTerminal();
  try {
    const passphrase = await choosePassphrase(terminal, full);
    const key = await newKeyFile(full, passphrase);
    context.print({ file: full, keyId: key.keyId, publicKey: key.publicKey }, [
      `Made the key ${context.style.bold(key.keyId)}`,
      ...fields(
        context.style,
        [
          ['file', full],
          ['next', `countersign keys enrol ${file} --name "Your Name" --code CODE`],
        ],
        '  ',
      ),
      context.style.dim(
        '  Without the passphrase the file is worth nothing; it is kept nowhere else.',
      ),
    ]);
    return 0;
  } finally {
    terminal.close();
  }
}

async function choosePassphrase(terminal: Terminal, file: string): Promise<string> {
  const passphrase = await terminal.askHidden('Passphrase for the new key: ');
  const weak = weakPassphrase(passphrase);
  if (weak !== undefined) throw new FileRefused(file, weak, 'Nothing was written; choose another');
  if ((await terminal.askHidden('The same again: ')) !== passphrase)
    throw new FileRefused(file, 'the two passphrases differ', 'Nothing was written; try again');
  return passphrase;
}

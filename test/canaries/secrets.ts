import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { SECRET_FILES } from '../../config/secrets.js';
import { WORLD } from '../../cli/demo/stage.js';
import type { TestStage } from '../helpers/stage.js';

/** Every secret of the stack and of the people in it, by name. */
export async function secretsOf(
  stage: TestStage,
  addresses: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const [name, file] of Object.entries(SECRET_FILES)) {
    const text = readFileSync(path.join(stage.stack.dataDir, 'secrets', file), 'utf8').trim();
    // Of a private key the part that signs, in both alphabets: the frame around it is the same everywhere.
    if (text.includes('PRIVATE KEY')) {
      const d = createPrivateKey(text).export({ format: 'jwk' }).d ?? '';
      found.set(name, d);
      found.set(`${name} (PEM)`, text.split('\n')[1] ?? '');
    } else found.set(name, text);
  }
  const { stripe, cloudflare } = await stage.sandbox.credentials(WORLD);
  for (const [role, value] of Object.entries(stripe)) found.set(`stripe ${role}`, value);
  for (const [role, value] of Object.entries(cloudflare)) found.set(`cloudflare ${role}`, value);
  addresses.forEach((address, index) => found.set(`e-mail address ${index + 1}`, address));
  return found;
}

/** The names of the secrets that a text holds, also where Temporal or the database keeps it encoded. */
export function heldIn(text: string, secrets: ReadonlyMap<string, string>): readonly string[] {
  return [...secrets].flatMap(([name, secret]) =>
    spellings(secret).some((spelling) => text.includes(spelling)) ? [name] : [],
  );
}

/** As it is, in hexadecimal, and in base64 at each of the three offsets, less what depends on its neighbours. */
function spellings(secret: string): readonly string[] {
  const base64 = [0, 1, 2].map((offset) =>
    Buffer.from(' '.repeat(offset) + secret)
      .toString('base64')
      .slice(offset === 0 ? 0 : 4, -4),
  );
  return [secret, Buffer.from(secret).toString('hex'), ...base64];
}

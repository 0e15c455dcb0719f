import { createDecipheriv, createPrivateKey, scryptSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { SECRET_FILES } from '../../config/secrets.js';
import { WORLD } from '../../cli/demo/stage.js';
import { readKeyFile } from '../../client/keys.js';
import type { SandboxControl } from '../../sandbox/control-client.js';

export type Secrets = ReadonlyMap<string, string>;

/** Every secret of a stack, by name: of its data folder and of the providers. */
export async function secretsOf(dataDir: string, sandbox: SandboxControl): Promise<Secrets> {
  const found = new Map<string, string>();
  for (const [name, file] of Object.entries(SECRET_FILES)) {
    const text = readFileSync(path.join(dataDir, 'secrets', file), 'utf8').trim();
    // Of a private key the part that signs, in both alphabets: the frame around it is the same everywhere.
    if (text.includes('PRIVATE KEY')) {
      const d = createPrivateKey(text).export({ format: 'jwk' }).d ?? '';
      found.set(name, d);
      found.set(`${name} (PEM)`, text.split('\n')[1] ?? '');
    } else found.set(name, text);
  }
  const { stripe, cloudflare } = await sandbox.credentials(WORLD);
  // Those that workers hold: the stand-in mints more.
  for (const role of ['actions', 'compensations', 'reads'] as const)
    found.set(`stripe ${role}`, stripe[role]);
  for (const role of ['mint-actions', 'mint-compensations', 'reads', 'accounts'] as const)
    found.set(`cloudflare ${role}`, cloudflare[role]);
  return found;
}

/** How the value of every token begins that a run has minted: none is known beforehand. */
export const MINTED: Secrets = new Map([['minted token', `cf_${WORLD}_token-`]]);

/** The private part of an approver's key file, opened as the format says. */
export function privateKeyIn(file: string, passphrase: string): string {
  const { scrypt, aes256gcm, keyId, publicKey } = readKeyFile(file);
  const raw = (text: string): Buffer => Buffer.from(text, 'base64url');
  const { N, r, p } = scrypt;
  const secret = scryptSync(passphrase, raw(scrypt.salt), 32, { N, r, p, maxmem: 2 ** 30 });
  const box = createDecipheriv('aes-256-gcm', secret, raw(aes256gcm.nonce));
  box.setAAD(Buffer.from(`countersign.key.v1 ${keyId} ${publicKey}`));
  box.setAuthTag(raw(aes256gcm.tag));
  return Buffer.concat([box.update(raw(aes256gcm.box)), box.final()]).toString('base64url');
}

/** The names of the secrets that a text holds, also where Temporal or the database keeps it encoded. */
export function heldIn(text: string, secrets: Secrets): readonly string[] {
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

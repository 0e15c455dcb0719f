import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { canonicalBytes } from '../../domain/canonical.js';
import type { WebauthnSignature } from '../../domain/documents.js';
import { readPublicKey } from '../../domain/public-key.js';

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

export interface Ceremony {
  readonly type?: string;
  readonly origin?: string;
  readonly rpId?: string;
  /** UP | UV unless said otherwise. */
  readonly flags?: number;
  readonly counter?: number;
  readonly client?: Readonly<Record<string, unknown>>;
}

/** A passkey in software, made and asked as a browser would. */
export class Authenticator {
  readonly credentialId = randomBytes(16).toString('base64url');
  readonly handle = randomBytes(16).toString('base64url');
  readonly publicKey: string;
  readonly keyId: string;
  readonly #private;

  constructor(
    readonly rpId = 'localhost',
    readonly origin = 'http://localhost:4000',
  ) {
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#private = pair.privateKey;
    this.publicKey = pair.publicKey.export({ type: 'spki', format: 'der' }).toString('base64url');
    const read = readPublicKey('ES256', this.publicKey);
    if (typeof read === 'string') throw new Error(read);
    this.keyId = read.keyId;
  }

  sign(statement: object, ceremony: Ceremony = {}): WebauthnSignature {
    const client = Buffer.from(
      JSON.stringify({
        type: ceremony.type ?? 'webauthn.get',
        challenge: sha256(canonicalBytes(statement)).toString('base64url'),
        origin: ceremony.origin ?? this.origin,
        crossOrigin: false,
        ...ceremony.client,
      }),
    );
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(ceremony.counter ?? 0);
    const device = Buffer.concat([
      sha256(Buffer.from(ceremony.rpId ?? this.rpId)),
      Buffer.from([ceremony.flags ?? 0x05]),
      counter,
    ]);
    const signature = sign('sha256', Buffer.concat([device, sha256(client)]), this.#private);
    return {
      kind: 'webauthn',
      credentialId: this.credentialId,
      clientDataJSON: client.toString('base64url'),
      authenticatorData: device.toString('base64url'),
      signature: signature.toString('base64url'),
      userHandle: this.handle,
    };
  }
}

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Somebody who can sign in. */
export interface IssuerPerson {
  readonly sub: string;
  readonly name: string;
  readonly email: string;
  readonly emailVerified: boolean;
  readonly groups: readonly string[];
  readonly password: string;
}

/** An agent or service with credentials of its own: its `sub` is its client id. */
export interface IssuerClient {
  readonly clientId: string;
  readonly secret: string;
}

/** A private signing key as JSON Web Key. */
export interface SigningJwk {
  readonly kid: string;
  readonly alg: 'ES256';
  readonly use: 'sig';
  readonly [member: string]: unknown;
}

interface Kept {
  readonly payload: Record<string, unknown>;
  /** In ms since the epoch; null: for good. */
  readonly expiresAt: number | null;
}

interface IssuerFile {
  format: 1;
  /** Newest first: the first signs, all are published. */
  keys: SigningJwk[];
  cookieKeys: string[];
  people: Record<string, IssuerPerson>;
  clients: Record<string, IssuerClient>;
  kept: Record<string, Kept>;
}

/** A fresh ES256 key. */
export function drawSigningKey(): SigningJwk {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const kid = randomBytes(8).toString('hex');
  return { ...privateKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' };
}

const drawSecret = (): string => randomBytes(24).toString('base64url');

/** What the issuer knows: keys, people, clients and what it has issued; one file of mode 0600, saved at each change. */
export class IssuerStore {
  readonly #path: string;
  readonly #file: IssuerFile;

  constructor(dataDir: string) {
    this.#path = join(dataDir, 'issuer.json');
    this.#file = existsSync(this.#path)
      ? (JSON.parse(readFileSync(this.#path, 'utf8')) as IssuerFile)
      : {
          format: 1,
          keys: [drawSigningKey()],
          cookieKeys: [drawSecret()],
          people: {},
          clients: {},
          kept: {},
        };
    this.#save();
  }

  get keys(): readonly SigningJwk[] {
    return this.#file.keys;
  }

  get cookieKeys(): string[] {
    return [...this.#file.cookieKeys];
  }

  /** Signs by a new key from now on; older ones stay published, unless they are dropped. */
  rotateKeys({ drop }: { readonly drop: boolean }): string {
    const key = drawSigningKey();
    this.#file.keys = [key, ...(drop ? [] : this.#file.keys)];
    this.#save();
    return key.kid;
  }

  person(sub: string): IssuerPerson | undefined {
    return Object.hasOwn(this.#file.people, sub) ? this.#file.people[sub] : undefined;
  }

  /** Adds a person, or changes one and keeps their password. */
  putPerson(person: Omit<IssuerPerson, 'password'>): IssuerPerson {
    const whole = { ...person, password: this.person(person.sub)?.password ?? drawSecret() };
    this.#file.people[person.sub] = whole;
    this.#save();
    return whole;
  }

  removePerson(sub: string): boolean {
    const known = this.person(sub) !== undefined;
    Reflect.deleteProperty(this.#file.people, sub);
    this.#save();
    return known;
  }

  client(clientId: string): IssuerClient | undefined {
    return Object.hasOwn(this.#file.clients, clientId) ? this.#file.clients[clientId] : undefined;
  }

  /** Adds a client, or draws a new secret for one. */
  putClient(clientId: string): IssuerClient {
    const client = { clientId, secret: drawSecret() };
    this.#file.clients[clientId] = client;
    this.#save();
    return client;
  }

  keep(id: string, payload: Record<string, unknown>, expiresInS: number | undefined): void {
    const expiresAt = expiresInS === undefined ? null : Date.now() + expiresInS * 1_000;
    this.#file.kept[id] = { payload, expiresAt };
    for (const [other, { expiresAt: end }] of Object.entries(this.#file.kept))
      if (end !== null && end < Date.now()) Reflect.deleteProperty(this.#file.kept, other);
    this.#save();
  }

  kept(id: string): Record<string, unknown> | undefined {
    return Object.hasOwn(this.#file.kept, id) ? this.#file.kept[id]?.payload : undefined;
  }

  /** The first thing kept under `prefix` whose payload fits. */
  findKept(
    prefix: string,
    fits: (payload: Record<string, unknown>) => boolean,
  ): Record<string, unknown> | undefined {
    return Object.entries(this.#file.kept).find(
      ([id, { payload }]) => id.startsWith(prefix) && fits(payload),
    )?.[1].payload;
  }

  forget(fits: (id: string, payload: Record<string, unknown>) => boolean): void {
    for (const [id, { payload }] of Object.entries(this.#file.kept))
      if (fits(id, payload)) Reflect.deleteProperty(this.#file.kept, id);
    this.#save();
  }

  #save(): void {
    writeFileSync(`${this.#path}.new`, JSON.stringify(this.#file), { mode: 0o600 });
    renameSync(`${this.#path}.new`, this.#path);
  }
}

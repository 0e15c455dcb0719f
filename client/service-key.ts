import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { instanceSchema, keyIdSchema, type AdmissionStatement } from '../domain/documents.js';
import { canonicalBytes, canonicalize } from '../domain/canonical.js';
import { FileRefused } from './errors.js';
import { signingKeyOf, type SigningKey } from './keys.js';
import { createPrivateFile, readPrivateFile } from './private-file.js';

const serviceSchema = z.string().regex(/^s_[a-z0-9][a-z0-9_-]{0,62}$/);
const serviceKeyFileSchema = z.strictObject({
  type: z.literal('countersign.service-key.v1'),
  instance: instanceSchema,
  service: serviceSchema,
  keyId: keyIdSchema,
  /** PKCS#8 DER, base64url. */
  privateKey: z.string().regex(/^[A-Za-z0-9_-]{64}$/),
});
type ServiceKeyFile = z.infer<typeof serviceKeyFileSchema>;

/** Who asks for a run: a registered service of one installation, and its key. */
export interface ServiceKey {
  readonly instance: string;
  readonly service: string;
  readonly key: SigningKey;
}

/** A service key from a PEM that is kept elsewhere. */
export function serviceKeyFromPem(instance: string, service: string, pem: string): ServiceKey {
  return { instance, service, key: signingKeyOf(createPrivateKey(pem)) };
}

/** Makes a service key file of mode 0600; its public key still has to be registered. @throws FileRefused */
export function newServiceKeyFile(file: string, instance: string, service: string): ServiceKey {
  const { privateKey } = generateKeyPairSync('ed25519');
  return writeServiceKeyFile(file, instance, service, privateKey);
}

/** Writes a service key to a new file of mode 0600. @throws FileRefused */
export function writeServiceKeyFile(
  file: string,
  instance: string,
  service: string,
  privateKey: KeyObject,
): ServiceKey {
  const key = signingKeyOf(privateKey);
  const content: ServiceKeyFile = {
    type: 'countersign.service-key.v1',
    instance,
    service,
    keyId: key.keyId,
    privateKey: privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64url'),
  };
  createPrivateFile(file, `${JSON.stringify(content, null, 2)}\n`);
  return { instance, service, key };
}

/** Reads a service key file. @throws FileRefused */
export function loadServiceKey(file: string): ServiceKey {
  const parsed = serviceKeyFileSchema.safeParse(parseJson(readPrivateFile(file, 'a service key')));
  const key = parsed.success ? keyOf(parsed.data.privateKey) : undefined;
  if (!parsed.success || key?.keyId !== parsed.data.keyId)
    throw new FileRefused(
      file,
      'it is not a countersign service key',
      'Use the file that `countersign up` or `countersign services new` wrote',
    );
  return { instance: parsed.data.instance, service: parsed.data.service, key };
}

function keyOf(privateKey: string): SigningKey | undefined {
  try {
    const der = Buffer.from(privateKey, 'base64url');
    return signingKeyOf(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
  } catch {
    return undefined;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The admission statement of one run and its signature, as the workflow's input carries them. */
export function signAdmission(
  of: { readonly runId: string; readonly requestDigest: string; readonly at: string },
  by: ServiceKey,
): { readonly statement: string; readonly signature: string } {
  const statement: AdmissionStatement = {
    type: 'countersign.admission.v1',
    instance: by.instance,
    service: by.service,
    keyId: by.key.keyId,
    ...of,
  };
  return {
    statement: canonicalize(statement),
    signature: by.key.sign(canonicalBytes(statement)),
  };
}

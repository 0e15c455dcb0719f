import { readFileSync } from 'node:fs';
import {
  isAlias,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  parseDocument,
  visit,
  type Document,
} from 'yaml';
import { z } from 'zod';
import { errorCode, UsageError } from './errors.js';
import { serverConfigSchema, webhookConfigSchema } from './server-config.js';

export const CONFIG_FILE = 'countersign.config.yaml';
const SIZE_MAX = 64 * 1024;

const secretFile = z.string().min(1).describe('path of a file that only its owner can read');
const credential = z.strictObject({
  actions: secretFile,
  compensations: secretFile,
  reads: secretFile,
});

/** At Cloudflare `actions` and `compensations` mint tokens; `accounts` makes accounts, where runs may need one. */
const cloudflareCredential = credential.extend({ accounts: secretFile.optional() });

/** Files with the credentials of the real providers; never the values themselves, never the environment. */
export const liveCredentialFilesSchema = z.strictObject({
  stripe: credential,
  cloudflare: cloudflareCredential,
});
export type LiveCredentialFiles = z.infer<typeof liveCredentialFilesSchema>;

/** How notices leave this installation; where they go is the policy's to say. */
export const noticesConfigSchema = z.strictObject({
  /** Files of the secrets that the policy names, by name. */
  secrets: z.record(z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,62}$/), secretFile).optional(),
  /** Where the server answers to people: links in notices begin with it. */
  publicUrl: z
    .url({ protocol: /^https?$/, error: 'expected http:// or https:// and a host' })
    .optional(),
  /** Ports beside 443 that a place may listen on. */
  ports: z.array(z.int().min(1).max(65_535)).max(10).optional(),
  /** Embedded only: every notice goes to this address on this machine instead. */
  embeddedReceiver: z
    .string()
    .regex(/^http:\/\/127\.0\.0\.1:\d{1,5}$/, 'expected http://127.0.0.1:PORT')
    .optional(),
});
export type NoticesConfig = z.infer<typeof noticesConfigSchema>;

const passkeysSchema = z.strictObject({
  rpId: z.string().regex(/^[a-z0-9.-]{1,253}$/, 'write the domain name of the pages'),
  origins: z
    .array(
      z
        .string()
        .regex(
          /^(https:\/\/[a-z0-9.-]+(:\d{1,5})?|http:\/\/localhost(:\d{1,5})?)$/,
          'write https://HOST, without a path',
        ),
    )
    .min(1)
    .max(10),
});
/** Where the keys come from that minted tokens are sealed under: a file, a program, or a key service. */
export const encryptionSchema = z.union(
  [
    z.strictObject({ file: secretFile }),
    z.strictObject({ command: z.array(z.string().min(1)).min(1).max(20) }),
    z.strictObject({ url: z.url({ protocol: /^https?$/ }), tokenFile: secretFile.optional() }),
  ],
  'expected one of file, command (a list of words) or url',
);
export type EncryptionSource = z.infer<typeof encryptionSchema>;

/** `countersign.config.yaml`. */
export const configFileSchema = z.strictObject({
  mode: z.enum(['embedded', 'production']).default('embedded'),
  providers: z.enum(['sandbox', 'live']).default('sandbox'),
  credentials: liveCredentialFilesSchema.optional(),
  notices: noticesConfigSchema.optional(),
  /** Where passkeys sign. In the embedded mode the server's own page unless it stands here. */
  passkeys: passkeysSchema.optional(),
  encryption: encryptionSchema.optional(),
  /** Where the HTTP server listens, and whose tokens it believes. */
  server: serverConfigSchema.optional(),
});
export type ConfigFile = z.infer<typeof configFileSchema>;

/** Reads the configuration file; one that is absent means the defaults. @throws UsageError naming line and column */
export function readConfigFile(file: string, mustExist: boolean): ConfigFile {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const absent = errorCode(error) === 'ENOENT';
    if (absent && !mustExist) return configFileSchema.parse({});
    throw new UsageError({
      what: `the configuration file ${absent ? 'does not exist' : 'cannot be read'}`,
      where: file,
      remedy: 'Name an existing file with --config, or leave the option out for the defaults',
    });
  }
  return parseConfig(text, file);
}

/** Parses the text of a configuration file. `file` is for the messages. @throws UsageError */
export function parseConfig(text: string, file: string): ConfigFile {
  if (Buffer.byteLength(text) > SIZE_MAX) {
    throw complain(file, `the file is larger than ${SIZE_MAX} bytes`, 'Keep only the known keys');
  }
  const lines = new LineCounter();
  const document = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
  });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const syntax = document.errors[0] ?? document.warnings[0];
  if (syntax !== undefined) {
    throw complain(at(syntax.pos[0]), `this is not valid YAML: ${syntax.message}`, 'Correct it');
  }
  refuseTricks(document, at);
  const value: unknown = document.toJS({ maxAliasCount: 0 });
  const result = configFileSchema.safeParse(value ?? {});
  if (result.success) return result.data;
  throw explain(result.error, document, at);
}

/** Aliases, anchors and tags make a file say something else than it shows. */
function refuseTricks(document: Document, at: (offset: number) => string): void {
  visit(document, (_key, node) => {
    if (!isNode(node)) return;
    const start = node.range?.[0] ?? 0;
    // A node of the core schema has a tag of its own only when the file wrote one.
    const plain = !isAlias(node) && node.anchor === undefined && node.tag === undefined;
    if (!plain) {
      throw complain(at(start), 'anchors, aliases and tags are not accepted', 'Write it out');
    }
  });
}

function explain(
  error: z.ZodError,
  document: Document,
  at: (offset: number) => string,
): UsageError {
  const issue = error.issues[0];
  if (issue === undefined) return complain(at(0), 'the file is not valid', 'Correct it');
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? '';
    const where = at(keyOffset(document, issue.path, key));
    return complain(
      where,
      `unknown key "${[...issue.path, key].join('.')}"`,
      `Known here: ${knownKeys(issue.path).join(', ')}`,
    );
  }
  const name = issue.path.join('.');
  const node = document.getIn(issue.path, true);
  const offset = isNode(node)
    ? (node.range?.[0] ?? 0)
    : keyOffset(document, issue.path.slice(0, -1), '');
  const subject = name === '' ? 'the file' : `"${name}"`;
  return complain(at(offset), `${subject} is not valid: ${lowerFirst(issue.message)}`, REMEDY);
}

const REMEDY = 'See docs/reference/configuration.md for what it may be';

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function keyOffset(document: Document, parents: readonly PropertyKey[], key: string): number {
  const map = parents.length === 0 ? document.contents : document.getIn(parents, true);
  if (!isMap(map)) return 0;
  const pair = map.items.find(
    ({ key: candidate }) => isScalar(candidate) && candidate.value === key,
  );
  const node = pair?.key;
  return (isNode(node) ? node.range?.[0] : map.range?.[0]) ?? 0;
}

function knownKeys(parents: readonly PropertyKey[]): string[] {
  if (parents.length === 0) return Object.keys(configFileSchema.shape);
  if (parents[0] === 'notices') return Object.keys(noticesConfigSchema.shape);
  if (parents[0] === 'server')
    return Object.keys((parents.length === 1 ? serverConfigSchema : webhookConfigSchema).shape);
  if (parents[0] === 'passkeys') return Object.keys(passkeysSchema.shape);
  if (parents.length === 1) return Object.keys(liveCredentialFilesSchema.shape);
  return Object.keys((parents[1] === 'cloudflare' ? cloudflareCredential : credential).shape);
}

function complain(where: string, what: string, remedy: string): UsageError {
  return new UsageError({ what, where, remedy });
}

import path from 'node:path';
import { z } from 'zod';
import { UsageError } from './errors.js';
import { parsedJson, readPrivateFile, writePrivateFile } from './private-files.js';

const loginSchema = z.strictObject({
  /** Exactly as it stands in its tokens. */
  issuer: z.string(),
  /** For whom the tokens are: the server's own word at sign-in. */
  resource: z.string(),
  clientId: z.string(),
  /** Of an agent or service: the file that holds its secret; a person has none. */
  secretFile: z.string().optional(),
  accessToken: z.string(),
  /** In ms since the epoch. */
  expiresAtMs: z.int(),
  refreshToken: z.string().optional(),
  /** Which installation the server was at sign-in: gates of another one are not signed. */
  instance: z.string(),
  kind: z.enum(['agent', 'person', 'service']),
  /** Who that is, in the server's register. */
  id: z.string(),
});
/** One sign-in at one server. */
export type Login = z.infer<typeof loginSchema>;

const fileSchema = z.strictObject({
  format: z.literal(1),
  servers: z.record(z.string(), loginSchema),
});

/** `logins.json` of a data folder: whoever reads it acts as these callers, so it is 0600. */
export const loginsFile = (dataDir: string): string => path.join(dataDir, 'logins.json');

/** The sign-in at a server, by its URL. @throws UsageError when others may read the file, or it is damaged */
export function readLogin(dataDir: string, server: string): Login | undefined {
  const { servers } = read(dataDir);
  return Object.hasOwn(servers, server) ? servers[server] : undefined;
}

/** Keeps a sign-in, in place of a former one at the same server. The folder must be there. */
export function writeLogin(dataDir: string, server: string, login: Login): void {
  const { servers } = read(dataDir);
  write(dataDir, { ...servers, [server]: login });
}

/** Forgets the sign-in at a server. */
export function removeLogin(dataDir: string, server: string): void {
  const others = Object.entries(read(dataDir).servers).filter(([url]) => url !== server);
  write(dataDir, Object.fromEntries(others));
}

function write(dataDir: string, servers: Readonly<Record<string, Login>>): void {
  writePrivateFile(loginsFile(dataDir), `${JSON.stringify({ format: 1, servers }, null, 2)}\n`);
}

function read(dataDir: string): z.infer<typeof fileSchema> {
  const file = loginsFile(dataDir);
  const content = readPrivateFile(file);
  if (content === undefined) return { format: 1, servers: {} };
  const result = fileSchema.safeParse(parsedJson(content));
  if (result.success) return result.data;
  throw new UsageError({
    what: 'this is no file of sign-ins of this version',
    where: file,
    remedy: 'Delete it and sign in again with: countersign login',
  });
}

import path from 'node:path';
import { z } from 'zod';
import { UnreachableError, UsageError } from './errors.js';
import { parsedJson, readPrivateFile, writePrivateFile } from './private-files.js';

const sandboxSchema = z.object({
  apiUrl: z.string(),
  controlUrl: z.string(),
  controlTokenFile: z.string(),
  edgeUrl: z.string(),
  /** The OpenID issuer. */
  issuerUrl: z.string(),
});
export type SandboxEndpoints = z.infer<typeof sandboxSchema>;

/** Where the processes of one embedded stack answer. Holds a password: the file is 0600. */
export const endpointsSchema = z.object({
  /** The supervisor's process id. */
  pid: z.int().positive(),
  /** Different at each start of the supervisor. */
  nonce: z.string().min(16),
  databaseUrl: z.string(),
  temporalAddress: z.string(),
  /** Absent when Temporal is somebody else's. */
  temporalUi: z.string().optional(),
  namespace: z.string(),
  sandbox: sandboxSchema.optional(),
  /** The HTTP server, when one runs. */
  serverUrl: z.string().optional(),
});
export type Endpoints = z.infer<typeof endpointsSchema>;

/** `endpoints.json` of a data folder. */
export function endpointsFile(dataDir: string): string {
  return path.join(dataDir, 'endpoints.json');
}

/** Replaces the endpoints file, whole and 0600. */
export function writeEndpoints(dataDir: string, endpoints: Endpoints): void {
  writePrivateFile(endpointsFile(dataDir), `${JSON.stringify(endpoints, null, 2)}\n`);
}

/** The endpoints of the stack that runs on this folder. @throws UnreachableError when none was started @throws UsageError */
export function readEndpoints(dataDir: string): Endpoints {
  const file = endpointsFile(dataDir);
  const content = readPrivateFile(file);
  if (content === undefined) {
    throw new UnreachableError({
      what: 'no stack was started on this data folder',
      where: dataDir,
      remedy: 'Start one with `countersign up`, or name another folder with --data',
    });
  }
  const result = endpointsSchema.safeParse(parsedJson(content));
  if (result.success) return result.data;
  throw new UsageError({
    what: 'this is not an endpoints file of this version',
    where: file,
    remedy: 'Stop the stack and start it again with `countersign up`',
  });
}

const sandboxFile = (dataDir: string): string => path.join(dataDir, 'sandbox.json');

/** Tells the other processes of a data folder where a sandbox answers that no supervisor started. */
export function writeSandboxEndpoints(dataDir: string, sandbox: SandboxEndpoints): void {
  writePrivateFile(sandboxFile(dataDir), `${JSON.stringify(sandbox, null, 2)}\n`);
}

/** Where the sandbox answers that was started by itself on this folder. @throws UnreachableError when none was */
export function readSandboxEndpoints(dataDir: string): SandboxEndpoints {
  const result = sandboxSchema.safeParse(parsedJson(readPrivateFile(sandboxFile(dataDir)) ?? ''));
  if (result.success) return result.data;
  throw new UnreachableError({
    what: 'no sandbox was started on this data folder',
    where: dataDir,
    remedy: 'Start it with `countersign sandbox` on the same data folder',
  });
}

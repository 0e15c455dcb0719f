import { controlApp } from './control.js';
import { secretFile } from './credentials.js';
import type { PersonAction, Provider } from './provider.js';
import { apiHandler, listen } from './server.js';
import type { Listening } from './server.js';
import { Worlds } from './world.js';

/** What the providers are built from. */
export interface Ground {
  /** Of which this sandbox's credentials are made. */
  readonly secret: string;
  readonly worlds: Worlds;
}

export interface RunOptions {
  /** Ports on the loopback address; 0 takes a free one. */
  readonly apiPort: number;
  readonly controlPort: number;
  readonly controlToken: string;
  readonly providers: readonly Provider[];
  /** What can be done as somebody who is at no provider. */
  readonly people?: Readonly<Record<string, PersonAction>>;
}

/** Opens a data folder: its secret and its worlds. */
export function openGround(dataDir: string, worlds: readonly string[] = []): Ground {
  const secret = secretFile(dataDir, 'secret');
  const held = new Worlds(dataDir);
  for (const name of ['main', ...worlds]) held.get(name);
  return { secret, worlds: held };
}

/**
 * Opens the API port and the control port over some providers; closes what it opened if one
 * fails.
 */
export async function runProviders(
  { secret, worlds }: Ground,
  { apiPort, controlPort, controlToken, providers, people }: RunOptions,
): Promise<{ apiUrl: string; controlUrl: string; close: () => Promise<void> }> {
  const open: Listening[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(open.map((port) => port.close()));
    await worlds.saveAll();
  };
  try {
    const api = await listen(apiHandler(providers, worlds, secret), apiPort);
    open.push(api);
    const app = controlApp({
      ...{ worlds, providers, secret, token: controlToken },
      ...(people === undefined ? {} : { people }),
    });
    const control = await listen((request) => app.fetch(request), controlPort);
    open.push(control);
    return { apiUrl: api.url, controlUrl: control.url, close };
  } catch (error) {
    await close();
    throw error;
  }
}

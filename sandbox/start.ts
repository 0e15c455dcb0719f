import { cloudflareProvider } from './cloudflare/provider.js';
import { secretFile } from './core/credentials.js';
import { openGround, runProviders } from './core/run.js';
import { startEdge } from './edge/start-edge.js';
import { stripeProvider } from './stripe/provider.js';

export interface SandboxOptions {
  /** Holds the worlds and the secrets: mode 0700, made if it is not there. */
  readonly dataDir: string;
  /** Ports on the loopback address; 0 (the default) takes a free one. */
  readonly apiPort?: number;
  readonly controlPort?: number;
  readonly edgePort?: number;
  /** Worlds to open at once; any other is made when its credential is first used. */
  readonly worlds?: readonly string[];
}

/** What a caller needs of a running sandbox. */
export interface RunningSandbox {
  /** Both providers, under their real paths. */
  readonly apiUrl: string;
  readonly controlUrl: string;
  readonly controlToken: string;
  /** Answers for the sites that were deployed, by Host. */
  readonly edgeUrl: string;
  /** Saves every world and closes the ports. */
  close(): Promise<void>;
}

/**
 * Starts the stand-ins and the edge. @throws Error if a port is taken or the folder can't be
 * used.
 */
export async function startSandbox(options: SandboxOptions): Promise<RunningSandbox> {
  const { dataDir, apiPort = 0, controlPort = 0, edgePort = 0 } = options;
  const ground = openGround(dataDir, options.worlds);
  const controlToken = secretFile(dataDir, 'control-token');
  const edge = await startEdge({ worlds: ground.worlds, port: edgePort });
  try {
    const running = await runProviders(ground, {
      apiPort,
      controlPort,
      controlToken,
      providers: [
        stripeProvider(),
        cloudflareProvider({ secret: ground.secret, validate: edge.validate }),
      ],
    });
    return {
      apiUrl: running.apiUrl,
      controlUrl: running.controlUrl,
      controlToken,
      edgeUrl: edge.url,
      close: async () => {
        await running.close();
        await edge.close();
      },
    };
  } catch (error) {
    await edge.close();
    throw error;
  }
}

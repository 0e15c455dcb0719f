import { cloudflareProvider } from './cloudflare/provider.js';
import { secretFile } from './core/credentials.js';
import { openGround, runProviders } from './core/run.js';
import { startEdge } from './edge/start-edge.js';
import { startIssuer } from './issuer/start-issuer.js';
import type { Issuer } from './issuer/start-issuer.js';
import { stripeProvider } from './stripe/provider.js';
import { startWebhooks } from './stripe/webhooks.js';

export interface SandboxOptions {
  /** Holds the worlds and the secrets: mode 0700, made if it is not there. */
  readonly dataDir: string;
  /** Ports on the loopback address; 0 (the default) takes a free one. */
  readonly apiPort?: number;
  readonly controlPort?: number;
  readonly edgePort?: number;
  readonly issuerPort?: number;
  /** For whom the issuer's tokens are when nobody says: the URL of a Countersign server. */
  readonly audience?: string | undefined;
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
  /** The OpenID issuer, as it stands in its tokens. */
  readonly issuerUrl: string;
  /** Of the person `operator`, whom the issuer knows from its first start. */
  readonly operatorPassword: string;
  /** Saves every world and closes the ports. */
  close(): Promise<void>;
}

/**
 * Starts the stand-ins and the edge. @throws Error if a port is taken or the folder can't be
 * used.
 */
export async function startSandbox(options: SandboxOptions): Promise<RunningSandbox> {
  const { dataDir, apiPort = 0, controlPort = 0, edgePort = 0, issuerPort = 0 } = options;
  const ground = openGround(dataDir, options.worlds);
  const controlToken = secretFile(dataDir, 'control-token');
  const edge = await startEdge({ worlds: ground.worlds, port: edgePort });
  let issuer: Issuer | undefined;
  try {
    const { audience } = options;
    const issuing = await startIssuer({ dataDir, port: issuerPort, audience });
    issuer = issuing;
    const running = await runProviders(ground, {
      apiPort,
      controlPort,
      controlToken,
      providers: [
        stripeProvider(),
        cloudflareProvider({ secret: ground.secret, validate: edge.validate }),
      ],
      people: issuing.people,
    });
    const stopWebhooks = startWebhooks(ground.worlds);
    return {
      apiUrl: running.apiUrl,
      controlUrl: running.controlUrl,
      controlToken,
      edgeUrl: edge.url,
      issuerUrl: issuing.url,
      operatorPassword: issuing.operatorPassword,
      close: async () => {
        await stopWebhooks();
        await running.close();
        await issuing.close();
        await edge.close();
      },
    };
  } catch (error) {
    await issuer?.close();
    await edge.close();
    throw error;
  }
}

import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { PersonAction } from '../core/provider.js';
import { SANDBOX_HEADER } from '../core/server.js';
import { serveInteraction } from './interaction.js';
import { issuerPeople } from './people.js';
import { createProvider } from './provider.js';
import { IssuerStore } from './store.js';

export interface Issuer {
  /** As it stands in its tokens. */
  readonly url: string;
  /** Of the person `operator`, who is there from the first start. */
  readonly operatorPassword: string;
  readonly people: Readonly<Record<string, PersonAction>>;
  close(): Promise<void>;
}

const OPERATOR = {
  sub: 'operator',
  name: 'The operator',
  email: 'operator@example.com',
  emailVerified: true,
  groups: [],
} as const;

/** Starts the OpenID issuer on the loopback address; port 0 takes a free one. @throws Error if the port is taken */
export async function startIssuer(of: {
  readonly dataDir: string;
  readonly port: number;
  readonly audience: string | undefined;
}): Promise<Issuer> {
  const store = new IssuerStore(of.dataDir);
  let answer: (request: IncomingMessage, response: ServerResponse) => void = () => undefined;
  const server = createServer((request, response) => {
    answer(request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(of.port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const url = `http://${host}`;
  const renew = (): void => {
    const provider = createProvider({ issuer: url, store, audience: of.audience });
    const rest = provider.callback();
    answer = (request, response) => {
      response.setHeader(SANDBOX_HEADER, '1');
      // A page in a browser that resolves its own name to this machine would send that name.
      if (request.headers.host !== host) {
        response.writeHead(403).end('the issuer answers under its own name alone\n');
        return;
      }
      const served = request.url?.startsWith('/interaction/')
        ? serveInteraction({ provider, store }, request, response)
        : rest(request, response);
      served.catch((error: unknown) => {
        process.stderr.write(
          `sandbox: issuer: ${error instanceof Error ? String(error.stack) : 'a defect'}\n`,
        );
        response.destroy();
      });
    };
  };
  renew();
  return {
    url,
    operatorPassword: (store.person(OPERATOR.sub) ?? store.putPerson(OPERATOR)).password,
    people: issuerPeople(store, renew),
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { importJWK, SignJWT } from 'jose';
import type { JWTHeaderParameters, JWTPayload } from 'jose';
import { pino } from 'pino';
import { createDocumentReader } from '../../gateway/egress.js';
import { World } from '../../sandbox/core/world.js';
import { startIssuer } from '../../sandbox/issuer/start-issuer.js';
import type { Issuer } from '../../sandbox/issuer/start-issuer.js';
import { IssuerStore } from '../../sandbox/issuer/store.js';
import type { ServerParts } from '../../server/parts.js';
import { startServer } from '../../server/start-server.js';
import type { RunningServer } from '../../server/start-server.js';
import { createVerifier } from '../../server/verify-token.js';
import { linkAccountTo } from '../../store/accounts.js';
import { openHouse } from '../gateway/house.js';
import type { House } from '../gateway/house.js';
import { clientToken, signIn } from '../helpers/sign-in.js';

export const AUDIENCE = 'https://countersign.example';
export const WEBHOOK_SECRET = 'whsec_a-secret-for-tests-and-nothing-else';

/** A real server over a real database, with a real issuer; what would go to Temporal is noted. */
export interface Ground {
  readonly house: House;
  readonly issuer: Issuer;
  readonly server: RunningServer;
  readonly publicUrl: string;
  /** Runs whose workflow was started, and messages that runs were told. */
  readonly started: string[];
  readonly told: { readonly run: string; readonly what: string }[];
  readonly logged: string[];
  order(name: string, body?: Record<string, unknown>): unknown;
  agentToken(clientId: string, resource?: string): Promise<string>;
  personToken(sub: string): Promise<string>;
  /** Signed with the issuer’s own key: only what is in it is wrong. */
  forge(claims: JWTPayload, header?: Partial<JWTHeaderParameters>): Promise<string>;
  ask(
    method: string,
    path: string,
    of?: {
      token?: string;
      body?: unknown;
      key?: string;
      headers?: Record<string, string>;
    },
  ): Promise<{ status: number; json: Record<string, unknown>; headers: Headers }>;
  close(): Promise<void>;
}

let keys = 0;

/** `name`: under which the server answers; passkeys need one that is no address. */
export async function openGround({ name = '127.0.0.1' } = {}): Promise<Ground> {
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-server-'));
  const house = await openHouse();
  const issuer = await startIssuer({ dataDir, port: 0, audience: AUDIENCE });
  const started: string[] = [];
  const told: { run: string; what: string }[] = [];
  const logged: string[] = [];
  const note = (run: string, what: string): Promise<void> => {
    told.push({ run, what });
    return Promise.resolve();
  };
  const temporal = {
    startAdmitted: ({ runId }: { runId: string }) => Promise.resolve(started.push(runId)),
    run: (runId: string) => ({
      decide: () => note(runId, 'decide'),
      stop: () => note(runId, 'stop'),
    }),
  } as unknown as ServerParts['temporal'];
  const publicAt = (origin: string): string => `http://${name}:${new URL(origin).port}`;
  const server = await startServer({
    host: '127.0.0.1',
    port: 0,
    healthPort: 0,
    partsAt: (origin) => ({
      gateway: {
        ...house.parts,
        trust: {
          rootKeys: [],
          relyingParty: { rpId: name, origins: [publicAt(origin)] },
        },
      },
      temporal,
      verify: createVerifier({
        issuers: [issuer.url],
        audience: AUDIENCE,
        read: createDocumentReader({ loopback: issuer.url }),
        keysEveryMs: 0,
      }),
      webhook: { secrets: [WEBHOOK_SECRET], livemode: false },
      publicUrl: publicAt(origin),
      audience: AUDIENCE,
      issuers: [issuer.url],
      cliClientId: 'countersign-cli',
      log: pino({ level: 'warn' }, { write: (line: string) => logged.push(line) }),
      nowMs: Date.now,
    }),
  });
  const publicUrl = publicAt(server.url);
  const order = (doing: string, body: Record<string, unknown> = {}): unknown =>
    issuer.people[doing]?.(new World(dataDir, 'main'), { do: doing, ...body });
  const link = (sub: string, holder: { person: string } | { agent: string }): Promise<unknown> =>
    house.db
      .transaction()
      .execute((tx) => linkAccountTo(tx, { iss: issuer.url, sub, holder, linkedBy: 'test' }));
  await house.db
    .insertInto('agents')
    .values({ agent_id: 'other-agent', owner_person: 'p_bob', created_at: new Date() })
    .execute();
  await house.db
    .updateTable('agents')
    .set({ principals: ['pr_owner'], environments: ['development', 'production'] })
    .execute();
  await link('launch-agent', { agent: 'launch-agent' });
  await link('other-agent', { agent: 'other-agent' });
  for (const sub of ['ada', 'bob', 'owner']) await link(sub, { person: `p_${sub}` });
  return {
    ...{ house, issuer, server, publicUrl, started, told, logged, order },
    agentToken: async (clientId, resource) => {
      const { secret } = order('issuer-client', { clientId }) as { secret: string };
      return clientToken({
        ...{ issuer: issuer.url, clientId, secret },
        ...(resource === undefined ? {} : { resource }),
      });
    },
    personToken: async (sub) => {
      const { password } = order('issuer-person', { sub }) as { password: string };
      return (await signIn({ issuer: issuer.url, name: sub, password })).access_token;
    },
    forge: async (claims, header = {}) => {
      const [key] = new IssuerStore(dataDir).keys;
      return new SignJWT(claims)
        .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: String(key?.kid), ...header })
        .sign(await importJWK(key ?? {}, 'ES256'));
    },
    ask: async (method, path, { body, headers, key, token } = {}) => {
      keys += 1;
      const answer = await fetch(`${publicUrl}${path}`, {
        method,
        headers: {
          connection: 'close',
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(method === 'POST' ? { 'idempotency-key': key ?? `key-${keys}` } : {}),
          ...(body === undefined || typeof body === 'string'
            ? {}
            : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined
          ? {}
          : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = await answer.text();
      const json = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
      return { status: answer.status, json, headers: answer.headers };
    },
    close: async () => {
      await server.close();
      await issuer.close();
      await house.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

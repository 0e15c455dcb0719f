import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { quoteReaders } from '../../activities/quote-readers.js';
import { stepEffects } from '../../activities/step-effects.js';
import { packSite } from '../../client/bundle.js';
import { canonicalize } from '../../domain/canonical.js';
import { Failure, FAILURES } from '../../domain/errors.js';
import type { Instance, RunId } from '../../domain/ids.js';
import { policyDigestOf } from '../../domain/policy/schema.js';
import { EFFECT_STEPS } from '../../domain/steps.js';
import type { EffectStep } from '../../domain/steps.js';
import type { Performed } from '../../gateway/contract.js';
import { createGateway, createParts } from '../../gateway/create-gateway.js';
import { createDoor } from '../../gateway/door.js';
import { createEgress } from '../../gateway/egress.js';
import { createKeyring, keyIdOf } from '../../gateway/keyring.js';
import type { Credentials } from '../../gateway/providers.js';
import { SandboxControl } from '../../sandbox/control-client.js';
import { secretFile } from '../../sandbox/core/credentials.js';
import { startSandbox } from '../../sandbox/start.js';
import { storeBundle } from '../../store/bundle-writes.js';
import { advanceClock } from '../../store/clock.js';
import { connect } from '../../store/connect.js';
import { activatePolicy } from '../../store/policies.js';
import { freshDatabase, letIn } from '../helpers/database.js';
import { trialPolicy } from '../helpers/trial-policy.js';
import { approved, sender } from './house.js';
import type { Home } from './house.js';
import { enrolled } from './people.js';

const SETTLING_MS = 300;

/** A gateway with the real operations, a database of its own, and a world of its own at the real sandbox. */
export interface AtSandbox extends Home {
  readonly world: string;
  readonly control: SandboxControl;
  /** What a gateway in a process of its own is made of (gateway-runner.mjs). */
  readonly settings: GatewaySettings;
  /** Lets time pass: in the database and at the providers. In ms. */
  wait(ms: number): Promise<void>;
  /** Does something in the providers' own pages: a plain request, with no key and no SDK. Answers what it answered. */
  byHand(method: string, path: string, body?: Record<string, unknown>): Promise<unknown>;
}

/** Plain JSON. */
export interface GatewaySettings {
  readonly databaseUrl: string;
  readonly instance: string;
  readonly edgeUrl: string;
  readonly credentials: Credentials;
  /** Hexadecimal. */
  readonly sealingKey: string;
  readonly settlingMs: number;
  readonly httpTimeoutMs: number;
}

export interface Sandboxed {
  readonly control: SandboxControl;
  /** Of which the stand-in's credentials are made. */
  readonly secret: string;
  open(world: string): Promise<AtSandbox>;
  close(): Promise<void>;
}

/** One sandbox over HTTP, for as many worlds as a test wants. `httpTimeoutMs`: the longest that a request may take. */
export async function openSandbox({ httpTimeoutMs = 3_000 } = {}): Promise<Sandboxed> {
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-gateway-'));
  const sandbox = await startSandbox({ dataDir });
  const control = new SandboxControl(sandbox);
  return {
    control,
    secret: secretFile(dataDir, 'secret'),
    open: (world) => openAt({ sandbox, control, httpTimeoutMs }, world),
    close: async () => {
      await sandbox.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

interface Shared {
  readonly sandbox: Awaited<ReturnType<typeof startSandbox>>;
  readonly control: SandboxControl;
  readonly httpTimeoutMs: number;
}

async function openAt(shared: Shared, world: string): Promise<AtSandbox> {
  const { sandbox, control, httpTimeoutMs } = shared;
  const fresh = await freshDatabase();
  const id = await letIn(fresh);
  const db = connect(fresh.url, { max: 6 });
  const ours = connect(fresh.applicationUrl, { max: 6 });
  const minted = await control.credentials(world);
  const { apiUrl: origin } = sandbox;
  const cloudflare = (role: keyof typeof minted.cloudflare) => ({
    apiToken: minted.cloudflare[role],
    origin,
  });
  const stripe = (role: keyof typeof minted.stripe) => ({ apiKey: minted.stripe[role], origin });
  const sealing = randomBytes(32);
  const credentials: Credentials = {
    actions: { stripe: stripe('actions'), cloudflare: cloudflare('mint-actions') },
    compensations: {
      stripe: stripe('compensations'),
      cloudflare: cloudflare('mint-compensations'),
    },
    reads: { stripe: stripe('reads'), cloudflare: cloudflare('reads') },
    accounts: cloudflare('accounts'),
  };
  const parts = createParts({
    db: ours,
    door: createDoor(ours),
    instance: id as Instance,
    operations: stepEffects,
    readers: quoteReaders,
    providers: 'sandbox',
    credentials,
    keyring: createKeyring(() => [{ keyId: keyIdOf(sealing), key: sealing }]),
    settling: { stripe: SETTLING_MS, cloudflare: SETTLING_MS },
    egress: createEgress({ edgeOverride: sandbox.edgeUrl }),
    httpTimeouts: { stripe: httpTimeoutMs, cloudflare: httpTimeoutMs },
  });
  const people = await enrolled(db);
  const policy = trialPolicy();
  await activatePolicy(db, {
    digest: policyDigestOf(policy),
    document: canonicalize(policy),
    activatedBy: 'test',
  });
  const site = packSite('examples/superseal/site');
  await storeBundle(db, site);
  await control.people(world, { do: 'standing-payment-method', card: 'visa' });
  // The account that our own credential belongs to: names are checked there before the principal has one.
  await control.people(world, {
    do: 'consent',
    email: 'platform@example.com',
    name: 'Countersign',
  });
  return {
    db,
    url: fresh.url,
    settings: {
      databaseUrl: fresh.applicationUrl,
      instance: id,
      edgeUrl: sandbox.edgeUrl,
      credentials,
      sealingKey: sealing.toString('hex'),
      settlingMs: SETTLING_MS,
      httpTimeoutMs,
    },
    parts,
    gateway: createGateway(parts),
    instance: id as Instance,
    ...people,
    bundle: site.digest,
    world,
    control,
    advance: (ms) => advanceClock(db, ms),
    wait: async (ms) => {
      await advanceClock(db, ms);
      await control.clock(world, ms);
    },
    byHand: (method, path, body) =>
      byHand(
        origin,
        { stripe: stripe('actions'), cloudflare: cloudflare('actions') },
        { method, path, ...(body && { body }) },
      ),
    close: async () => {
      await ours.destroy();
      await db.destroy();
      await fresh.drop();
    },
  };
}

async function byHand(
  origin: string,
  held: { stripe: { apiKey: string }; cloudflare: { apiToken: string } },
  { method, path, body }: { method: string; path: string; body?: Record<string, unknown> },
): Promise<unknown> {
  const stripe = path.startsWith('/v1/');
  const headers = {
    authorization: `Bearer ${stripe ? held.stripe.apiKey : held.cloudflare.apiToken}`,
    connection: 'close',
    ...(body && {
      'content-type': stripe ? 'application/x-www-form-urlencoded' : 'application/json',
    }),
  };
  const text = stripe
    ? new URLSearchParams(body as Record<string, string> | undefined).toString()
    : JSON.stringify(body);
  const answer = await fetch(`${origin}${path}`, { method, headers, ...(body && { body: text }) });
  if (!answer.ok) throw new Error(`${method} ${path} by hand: ${answer.status}`);
  return answer.json();
}

/** True for what Temporal would try again. */
export const mayBeTriedAgain = (error: unknown): error is Failure =>
  error instanceof Failure && FAILURES[error.code].retry;

/** Tries until it answers or fails for good, with time passing on both sides over each wait. */
export async function persist<T>(at: AtSandbox, body: () => Promise<T>): Promise<T> {
  let last: unknown;
  for (let round = 0; round < 60; round += 1) {
    try {
      return await body();
    } catch (error) {
      last = error;
      if (!mayBeTriedAgain(error)) throw error;
      await at.wait((error.retryAfterMs ?? 500) + 1);
    }
  }
  throw last;
}

export const performed = (at: AtSandbox, runId: RunId, step: EffectStep): Promise<Performed> =>
  persist(at, () => at.gateway.perform(runId, step, sender()));

/** Performs every step up to and with this one, gates included; `without`: what the plan does not have. */
export async function upTo(
  at: AtSandbox,
  runId: RunId,
  last: EffectStep,
  without: readonly EffectStep[] = ['configure-dns'],
): Promise<void> {
  for (const step of EFFECT_STEPS) {
    if (without.includes(step)) continue;
    if (step === 'register-domain') await approved(at, runId, 'register-domain');
    await performed(at, runId, step);
    if (step === last) return;
  }
}

/** Takes one step back to its end, or until it fails for good. Answers how the step is reported. */
export async function takenBack(at: AtSandbox, runId: RunId, step: EffectStep): Promise<string> {
  for (let round = 0; round < 60; round += 1) {
    const answer = await persist(at, () => at.gateway.reverse(runId, step, sender()));
    if (answer.done) return answer.report.outcome;
    await at.wait(answer.waitMs + 1);
  }
  throw new Error(`${step} was not taken back in 60 rounds`);
}

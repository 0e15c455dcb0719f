import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { packSite, type PackedSite } from '../../client/bundle.js';
import { createClient, type CountersignClient } from '../../client/client.js';
import type { VerifiedGate } from '../../client/decision.js';
import type { RunHandle } from '../../client/run-handle.js';
import { canonicalize } from '../../domain/canonical.js';
import type { CardDocument } from '../../domain/documents.js';
import type { RunState } from '../../domain/plan.js';
import { builtInPolicy } from '../../domain/policy/built-in.js';
import { policyDigestOf, type Policy } from '../../domain/policy/schema.js';
import { removeDataFolder } from '../../embedded/data-folder.js';
import type { StackPorts } from '../../embedded/stack-ports.js';
import type { ServiceSpec, Stack } from '../../embedded/supervisor.js';
import type { StopRecord } from '../../gateway/door-contract.js';
import { SandboxControl, type Truth } from '../../sandbox/control-client.js';
import { storeBundle } from '../../store/bundle-writes.js';
import { advanceClock } from '../../store/clock.js';
import type { Database } from '../../store/connect.js';
import { addAgent, addKey, addPerson, addPrincipal } from '../../store/people.js';
import { activatePolicy } from '../../store/policies.js';
import { openContext, type Context } from '../context.js';
import { services, startEmbedded } from '../verbs/up.js';
import { eventually } from './eventually.js';
import {
  APPROVER,
  cardOf,
  decision,
  resumeAll,
  stopAll,
  throwAwayKey,
  type Hands,
} from './hands.js';
import { effectOf, grantOf, type Grant } from './record.js';

export { eventually, StoryFailed } from './eventually.js';

/** The site that the stories put online: the example of the README. */
const SITE = fileURLToPath(new URL('../../../examples/superseal/site', import.meta.url));
export const WORLD = 'main';
const OWNER = 'p_owner';
const AGENT = 'launch-agent';

/** A whole stack of its own with two throw-away persons: the agent's owner, and somebody who approves. */
export interface Stage {
  readonly context: Context;
  readonly stack: Stack;
  readonly sandbox: SandboxControl;
  readonly client: CountersignClient;
  readonly db: Database;
  readonly instance: string;
  readonly site: PackedSite;
  /** The bytes of the approved start page. */
  readonly page: Buffer;
  /** Starts a run for a principal of its own, so that no story adopts what another one left. */
  start(of: StartOf): Promise<RunHandle>;
  /** Waits until the gate is open and answers its card, as a person would read it. */
  card(runId: string, gate: string, revision?: number): Promise<CardDocument>;
  /** Reads the card, computes both digests, signs, and sends the decision as a plain signal. */
  approve(runId: string, gate: string, revision?: number): Promise<CardDocument>;
  /** The open gate as a person gets to see it: documents whose digests were computed here. */
  gate(runId: string, gate: string): Promise<VerifiedGate>;
  reject(runId: string, gate: string, reason: string): Promise<void>;
  /** Waits until the run has ended. */
  ended(handle: RunHandle): Promise<RunState>;
  /** Waits until the state is as wanted. */
  until(handle: RunHandle, is: (state: RunState) => boolean): Promise<RunState>;
  truth(): Promise<Truth>;
  /** Moves the control database's clock and the providers' together. */
  advance(ms: number): Promise<void>;
  /** Puts a variant of the built-in policy in force. */
  policy(override: Partial<Policy>): Promise<void>;
  /** The effect row of a step, once something was authorized. */
  effect(
    runId: string,
    step: string,
  ): Promise<{ readonly state: string; readonly object: string | undefined } | undefined>;
  /** Waits until a gate is granted; answers what a caller of the door would present. */
  grantOf(runId: string, gate: string): Promise<Grant>;
  /** What `countersign stop --all` does: fences everything, then tells each run. */
  stopAll(reason: string): Promise<StopRecord>;
  /** Lifts a stop over everything, signed by the approver. */
  resumeAll(): Promise<void>;
  close(): Promise<void>;
}

export interface StartOf {
  readonly runId: string;
  readonly domain: string;
  readonly goal?: string;
}

interface Scene extends Hands {
  readonly context: Context;
  readonly stack: Stack;
  readonly siteFolder: string;
}

/** Which site goes online, and which processes the stack is made of. */
export interface Props {
  readonly site: string;
  readonly services: (ports: StackPorts) => ServiceSpec[];
}
const PROPS: Props = { site: SITE, services: (ports) => services(ports) };

/** Starts the stack in a fresh folder. @throws UnreachableError, UsageError when a part of it does not start */
export async function openStage(outer: Context, props: Props = PROPS): Promise<Stage> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'countersign-demo-'));
  const context = openContext(outer.io, { data: dataDir, json: outer.json }, createClient);
  const stack = await startEmbedded(context, false, props.services);
  try {
    const db = await context.database();
    const instance = await context.instance();
    const key = throwAwayKey();
    const scene = { context, stack, db, instance, key, siteFolder: props.site };
    await populate(scene);
    return await stageOf(scene);
  } catch (error) {
    await context.close();
    await stack.stop();
    removeDataFolder(dataDir);
    throw error;
  }
}

async function stageOf(scene: Scene): Promise<Stage> {
  const { context, stack, db, instance } = scene;
  const client = await context.startingClient();
  const { sandbox: endpoints } = stack.endpoints;
  if (endpoints === undefined) throw new Error('invariant: the demo runs on the sandbox');
  const sandbox = new SandboxControl({
    controlUrl: endpoints.controlUrl,
    controlToken: readFileSync(endpoints.controlTokenFile, 'utf8').trim(),
  });
  await sandbox.people(WORLD, { do: 'standing-payment-method', card: 'visa' });
  const site = packSite(scene.siteFolder);
  await storeBundle(db, site);
  const card = (runId: string, gate: string, revision = 1) =>
    cardOf(scene, { runId, gate, revision });
  return {
    ...{ context, stack, sandbox, client, db, instance, site },
    page: readFileSync(path.join(scene.siteFolder, 'public', 'index.html')),
    start: (of) => start(scene, client, site, of),
    card: async (...of) => (await card(...of)).card,
    gate: card,
    approve: async (runId, gate, revision) => {
      const verified = await card(runId, gate, revision);
      await client.run(runId).decide(await decision(scene, verified, 'approve'));
      return verified.card;
    },
    reject: async (runId, gate, reason) => {
      const verified = await card(runId, gate);
      await client.run(runId).decide(await decision(scene, verified, 'reject', reason));
    },
    ended: (handle) => until(handle, (state) => ENDED.has(state.phase)),
    until,
    truth: () => sandbox.truth(WORLD),
    advance: async (ms) => {
      await advanceClock(db, ms);
      await sandbox.clock(WORLD, ms);
    },
    policy: (override) => putInForce(db, override),
    effect: (runId, step) => effectOf(db, runId, step),
    grantOf: (runId, gate) => grantOf(db, runId, gate),
    stopAll: (reason) => stopAll(scene, client, reason),
    resumeAll: () => resumeAll(scene),
    close: async () => {
      await context.close();
      await stack.stop();
      removeDataFolder(stack.dataDir);
    },
  };
}

const ENDED = new Set<string>(['completed', 'reversed', 'denied', 'rejected', 'expired']);

const until = (handle: RunHandle, is: (state: RunState) => boolean): Promise<RunState> =>
  eventually(`run ${handle.runId}`, async () => {
    const state = await handle.state().catch(() => undefined);
    return state !== undefined && is(state) ? state : undefined;
  });

async function populate({ db, key }: Scene): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await addPerson(tx, { personId: OWNER, name: 'the owner of the agent', groups: [] });
    await addPerson(tx, { personId: APPROVER, name: 'the approver', groups: ['approvers'] });
    await addKey(tx, {
      keyId: key.keyId,
      personId: APPROVER,
      publicKey: key.publicKey,
      label: 'throw-away key of the demo',
      evidence: { how: 'made and enrolled by the demo in its own folder' },
    });
    await addAgent(tx, { agentId: AGENT, owner: OWNER });
  });
  // Nobody approves what their own agent asked for, and an approval outlives the day it was given.
  await putInForce(db, {});
}

async function putInForce(db: Database, override: Partial<Policy>): Promise<void> {
  // Nine stories in one month for one agent: the caps of a single customer would rightly stop them.
  const caps = {
    ...builtInPolicy().caps,
    organisation: '9000.00 USD',
    agent: '9000.00 USD',
    provider: '9000.00 USD',
  };
  const policy = builtInPolicy({ override: { expiry: '72h', caps, ...override } });
  await activatePolicy(db, {
    digest: policyDigestOf(policy),
    document: canonicalize(policy),
    activatedBy: 'demo',
  });
}

async function start(
  { db }: Scene,
  client: CountersignClient,
  site: PackedSite,
  { runId, domain, goal }: StartOf,
): Promise<RunHandle> {
  const principalId = `pr_${runId.replaceAll('-', '_')}`;
  await db.transaction().execute((tx) =>
    addPrincipal(tx, {
      principalId,
      name: 'the principal',
      email: `${runId}@example.com`,
    }),
  );
  return client.start({
    runId,
    request: {
      goal: goal ?? `Put the landing page online at ${domain}`,
      principal: principalId,
      agent: AGENT,
      environment: 'staging',
      subscription: { plan: 'starter' },
      hosting: { plan: 'free' },
      domain: { name: domain, years: 1 },
      dns: [{ type: 'TXT', name: '@', content: `launched by ${runId}` }],
      bundle: site.digest,
      budget: '60.00 USD',
    },
  });
}

import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import type { SigningKey } from '../../client/keys.js';
import { signAdmission, type ServiceKey } from '../../client/service-key.js';
import { encodeBase64url } from '../../domain/base64url.js';
import { canonicalBytes } from '../../domain/canonical.js';
import { canonicalRequest, parseRequest, requestDigestOf } from '../../domain/request.js';
import type { RunHandle } from '../../client/run-handle.js';
import { keyIdOf, publicKeyOf, signStatement } from '../../domain/signature.js';
import { parseCanonical } from '../../domain/canonical.js';
import { addAgent, addKey, addPerson, addPrincipal, addServiceKey } from '../../store/people.js';
import { plantKey } from '../helpers/register.js';
import { ended, openTestStage, type TestStage } from '../helpers/stage.js';

/** What a road ended in: the activity's answer, or the code of its failure. */
export interface Outcome {
  readonly answer?: unknown;
  readonly code?: string;
}

export interface Ground {
  readonly stage: TestStage;
  readonly temporal: Client;
  /** Waits at the gate over its plan: nothing was approved and nothing done. */
  readonly waiting: RunHandle;
  /** Completed: live and paid. */
  readonly completed: RunHandle;
  /** Rejected at the gate over its plan. */
  readonly rejected: RunHandle;
  /** Waits at a gate that was opened while one person governed alone. */
  readonly solo: RunHandle;
  /** Nobody answered at its gate in time. */
  readonly expired: RunHandle;
  /** An approver, as the register knows them. */
  readonly approver: SigningKey;
  /** The owner of the agent. */
  readonly owner: SigningKey;
  /** A person in no group. */
  readonly nobody: SigningKey;
  /** A key of small order, as a writer of the database might register it: one signature fits every message. */
  readonly hollow: SigningKey;
  /** A key that nobody has registered. */
  readonly stranger: SigningKey;
  /** Has its workflow schedule an activity of ours. */
  rogue(name: string, input: unknown, queue?: string): Promise<Outcome>;
  /** Asks Temporal for an activity of ours without any workflow, as `temporal activity execute` does. */
  alone(name: string, input: unknown, queue?: string): Promise<Outcome>;
  /** How many refusals of this reason are on record. */
  refused(reason: string): Promise<number>;
  /** The claim of a service that may speak for one agent, one principal, in development only. */
  claim(runId: string, change?: Record<string, unknown>, by?: ServiceKey): AdmissionClaimed;
  readonly service: ServiceKey;
  close(): Promise<void>;
}

export interface AdmissionClaimed {
  readonly runId: string;
  readonly request: string;
  readonly statement: string;
  readonly signature: string;
}

export function newKey(): SigningKey {
  const seed = randomBytes(32);
  const raw = publicKeyOf(seed);
  return {
    keyId: keyIdOf(raw),
    publicKey: encodeBase64url(raw),
    sign: (bytes) => signStatement(parseCanonical(bytes), seed).value,
  };
}

/** A stack with four runs in four states, people with keys, and somebody else's worker on the same Temporal. */
export async function openGround(): Promise<Ground> {
  const stage = await openTestStage();
  const rogue = await startRogue(stage.stack.endpoints.temporalAddress);
  const connection = await Connection.connect({ address: stage.stack.endpoints.temporalAddress });
  const temporal = new Client({ connection });
  const people = await populate(stage);
  const runs = await startRuns(stage);
  let calls = 0;
  return {
    stage,
    temporal,
    ...people,
    ...runs,
    rogue: callerOf(temporal),
    alone: (name, input, queue = 'countersign-actions') =>
      alone(temporal, `alone-${(calls += 1)}`, { name, input, queue }),
    refused: async (reason) =>
      (await stage.db.selectFrom('refusals').select('id').where('reason', '=', reason).execute())
        .length,
    claim: (runId, change = {}, by = people.service) => claimOf(stage, runId, change, by),
    close: async () => {
      rogue.stdin?.end();
      await connection.close();
      await stage.close();
    },
  };
}

/** Somebody's workflow that schedules an activity of ours; `startRogue` has to run. */
export function callerOf(temporal: Client): Ground['rogue'] {
  let calls = 0;
  return (name, input, queue = 'countersign-actions') =>
    temporal.workflow.execute('rogue', {
      workflowId: `rogue-${(calls += 1)}`,
      taskQueue: 'rogue',
      args: [{ queue, name, input }],
    });
}

async function alone(
  { activity }: Client,
  id: string,
  { name, input, queue }: { name: string; input: unknown; queue: string },
): Promise<Outcome> {
  try {
    const answer: unknown = await activity.execute(name, {
      id,
      taskQueue: queue,
      args: [input],
      startToCloseTimeout: '60s',
      heartbeatTimeout: '10s',
      retry: { maximumAttempts: 1 },
    });
    return { answer };
  } catch (error) {
    const { cause } = error as { cause?: { type?: string; code?: number } };
    return {
      code: cause?.code === UNIMPLEMENTED ? 'UNIMPLEMENTED' : (cause?.type ?? String(error)),
    };
  }
}

/** The status of gRPC with which an older server answers to a call that it has never heard of. */
const UNIMPLEMENTED = 12;

/** Fits, with the identity point for R and 0 for S, whatever a lenient verifier is shown. */
export function hollowKey(): SigningKey {
  const identity = new Uint8Array(32);
  identity[0] = 1;
  return {
    keyId: keyIdOf(identity),
    publicKey: encodeBase64url(identity),
    sign: () => encodeBase64url(Uint8Array.from([...identity, ...new Uint8Array(32)])),
  };
}

export async function startRogue(address: string): Promise<ChildProcess> {
  const file = path.join(import.meta.dirname, 'rogue-worker.mjs');
  const child = spawn(process.execPath, [file, address], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}

async function populate({ db, instance }: TestStage) {
  const [approver, owner, nobody, stranger] = [newKey(), newKey(), newKey(), newKey()] as const;
  const hollow = hollowKey();
  const serviceKey = newKey();
  const evidence = { how: 'enrolled by a test' };
  await db.transaction().execute(async (tx) => {
    await addPerson(tx, { personId: 'p_second', name: 'Second', groups: ['approvers'] });
    await addPerson(tx, { personId: 'p_nobody', name: 'Nobody', groups: [] });
    for (const [personId, { keyId, publicKey }] of [
      ['p_second', approver],
      ['p_owner', owner],
      ['p_nobody', nobody],
    ] as const)
      await addKey(tx, { keyId, personId, publicKey, label: 'test', evidence });
    // Not by the front door: that refuses such a key.
    await plantKey(tx, {
      person: 'p_second',
      keyId: hollow.keyId,
      publicKey: hollow.publicKey,
      more: { label: 'hollow' },
    });
    await addAgent(tx, { agentId: 'other-agent', owner: 'p_owner' });
    await addPrincipal(tx, {
      principalId: 'pr_narrow',
      name: 'Narrow',
      email: 'narrow@example.com',
    });
    await addServiceKey(tx, {
      keyId: serviceKey.keyId,
      service: 's_narrow',
      publicKey: serviceKey.publicKey,
      agents: ['launch-agent'],
      principals: ['pr_narrow'],
      environments: ['development'],
    });
  });
  const service: ServiceKey = { instance, service: 's_narrow', key: serviceKey };
  return { approver, owner, nobody, stranger, hollow, service };
}

async function startRuns(stage: TestStage) {
  const completed = await stage.start({ runId: 'road-completed', domain: 'plain-anchor.club' });
  const waiting = await stage.start({ runId: 'road-waiting', domain: 'tidal-lamp.club' });
  const rejected = await stage.start({ runId: 'road-rejected', domain: 'morning-slate.club' });
  await stage.approve(completed.runId, 'plan');
  await stage.reject(rejected.runId, 'plan', 'not this one');
  await stage.card(waiting.runId, 'plan');
  await stage.approve(completed.runId, 'register-domain');
  await ended(completed);
  await ended(rejected);
  await stage.policy({ expiry: '5s' });
  const expired = await stage.start({ runId: 'road-expired', domain: 'hollow-reed.club' });
  await ended(expired);
  await stage.policy({});
  await stage.policy({ solo: true });
  const solo = await stage.start({ runId: 'road-solo', domain: 'lone-heron.club' });
  await stage.card(solo.runId, 'plan');
  await stage.policy({});
  return { completed, waiting, rejected, expired, solo };
}

function claimOf(
  stage: TestStage,
  runId: string,
  change: Record<string, unknown>,
  by: ServiceKey,
): AdmissionClaimed {
  const request = {
    goal: 'Put the landing page online at forged-name.club',
    principal: 'pr_narrow',
    agent: 'launch-agent',
    environment: 'development',
    subscription: { plan: 'starter' },
    hosting: { plan: 'free' },
    domain: { name: 'forged-name.club', years: 1 },
    bundle: stage.site.digest,
    budget: '60.00 USD',
    ...change,
  };
  const parsed = parseRequest(request);
  const requestDigest = requestDigestOf(parsed);
  const at = '2026-11-21T00:00:00.000Z';
  return {
    runId,
    request: canonicalRequest(parsed),
    ...signAdmission({ runId, requestDigest, at }, by),
  };
}

export const signed = (statement: object, key: SigningKey): object => ({
  ...statement,
  signature: { kind: 'ed25519', value: key.sign(canonicalBytes(statement)) },
});

export interface Road {
  readonly name: string;
  readonly go: () => Promise<Outcome>;
  /** What whoever tried is told. */
  readonly told: unknown;
  /** What the record says of it: `<what was asked>: <reason>`. */
  readonly logged: string;
}

export const code = (of: string): Outcome => ({ code: of });

import { Failure } from './errors.js';

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

export type RunId = Branded<'RunId'>;
export type Instance = Branded<'Instance'>;
export type EffectId = Branded<'EffectId'>;
export type GateId = Branded<'GateId'>;
export type Digest = Branded<'Digest'>;

const RUN_ID = /^[a-z0-9][a-z0-9-]{0,62}$/;
const INSTANCE = /^[0-9a-f]{32}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** @throws REQUEST_INVALID */
export function parseRunId(text: string): RunId {
  if (!RUN_ID.test(text))
    throw new Failure(
      'REQUEST_INVALID',
      `run id ${JSON.stringify(text.slice(0, 80))} is refused: write 1 to 63 lower-case letters, digits and hyphens, a hyphen not first, like launch-7`,
    );
  return text as RunId;
}

export function isDigest(text: string): text is Digest {
  return DIGEST.test(text);
}

/** @throws REQUEST_INVALID */
export function parseInstance(text: string): Instance {
  if (!INSTANCE.test(text))
    throw new Failure('REQUEST_INVALID', 'an instance id is 32 lower-case hex characters');
  return text as Instance;
}

export const workflowIdOf = (runId: RunId): string => `provision/${runId}`;
export const repairWorkflowIdOf = (runId: RunId): string => `repair/${runId}`;

/** The run id inside `provision/<runId>`, or undefined for any other workflow id. */
export function runIdOfWorkflow(workflowId: string): RunId | undefined {
  const [type, runId, ...rest] = workflowId.split('/');
  return (type === 'provision' || type === 'repair') &&
    runId !== undefined &&
    rest.length === 0 &&
    RUN_ID.test(runId)
    ? (runId as RunId)
    : undefined;
}

export type EffectKind = 'act' | 'undo';

/** `<instance>/<runId>/<step>/<act|undo>`: names us, so that twins on one provider account never collide. */
export function effectIdOf(of: {
  instance: Instance;
  runId: RunId;
  step: string;
  kind: EffectKind;
}): EffectId {
  return `${of.instance}/${of.runId}/${of.step}/${of.kind}` as EffectId;
}

/** `<effect id>/<epoch>`, at most 255 characters (Stripe's limit for idempotency keys). */
export function idempotencyKeyOf(effectId: EffectId, epoch: number): string {
  return `${effectId}/${epoch}`;
}

/** `provision/<runId>:<gate>:<revision>`. */
export function gateIdOf(of: { runId: RunId; gate: string; revision: number }): GateId {
  return `provision/${of.runId}:${of.gate}:${of.revision}` as GateId;
}

const GATE_ID = /^provision\/([a-z0-9][a-z0-9-]{0,62}):([a-z][a-z-]{0,40}):([1-9][0-9]{0,5})$/;

/** The parts of a gate id, or undefined if it is none. The only parser of gate ids. */
export function parseGateId(
  text: string,
): { gateId: GateId; runId: RunId; gate: string; revision: number } | undefined {
  const [, runId, gate, revision] = GATE_ID.exec(text) ?? [];
  if (runId === undefined || gate === undefined || revision === undefined) return undefined;
  return { gateId: text as GateId, runId: runId as RunId, gate, revision: Number(revision) };
}

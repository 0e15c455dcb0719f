import { z } from 'zod';
import { canonicalize, digestOf } from '../domain/canonical.js';
import { actionSchema, referenceSchema } from '../domain/documents.js';
import type { ActionDocument, Params, Reference } from '../domain/documents.js';
import { Failure, invariant } from '../domain/errors.js';
import { effectIdOf } from '../domain/ids.js';
import type { Digest, EffectId, Instance, RunId } from '../domain/ids.js';
import type { PlanStep } from '../domain/plan.js';
import { principalReferenceSchema } from '../domain/principal.js';
import type { PrincipalReference } from '../domain/principal.js';
import type { EffectStep, Environment } from '../domain/steps.js';

type Param = Params[string];

/** The action that is about to be sent, as stored with the plan, and the digest just computed over it. */
export interface Action {
  readonly document: ActionDocument;
  readonly digest: Digest;
  readonly effectId: EffectId;
}

/**
 * Rebuilds a step's action document from the stored plan and digests it anew. Everything that is sent comes from
 * what this returns, so that the digest which a grant covers is the digest of what goes out.
 * @throws OUT_OF_ORDER when nothing is planned for the step
 */
export function actionOf(
  planned: PlanStep | undefined,
  of: { instance: Instance; runId: RunId; step: EffectStep; environment: Environment },
): Action {
  if (planned?.kind !== 'act' || planned.action === undefined)
    throw new Failure('OUT_OF_ORDER', `run ${of.runId} plans no action for ${of.step}`);
  const document = actionSchema.parse(planned.action);
  const effectId = effectIdOf({ ...of, kind: 'act' });
  invariant(
    document.instance === of.instance &&
      document.runId === of.runId &&
      document.step === of.step &&
      document.environment === of.environment &&
      document.effectKey === effectId,
    `the stored action of ${of.runId}/${of.step} names another effect`,
  );
  return { document, digest: digestOf(document), effectId };
}

/** A value that an earlier step makes, or one that the register of principals holds. */
export type AnyReference = Reference | PrincipalReference;
const anyReferenceSchema = z.union([referenceSchema, principalReferenceSchema]);

const asReference = (value: unknown): AnyReference | undefined => {
  const parsed = anyReferenceSchema.safeParse(value);
  return parsed.success ? parsed.data : undefined;
};

/** Every reference in the action, each once, in the order of its first mention. */
export function referencesOf(document: ActionDocument): readonly AnyReference[] {
  const found = new Map<string, AnyReference>();
  const visit = (value: unknown): void => {
    const reference = asReference(value);
    if (reference !== undefined) found.set(canonicalize(reference), reference);
    else if (Array.isArray(value)) value.forEach(visit);
    else if (typeof value === 'object' && value !== null) Object.values(value).forEach(visit);
  };
  visit(document.account);
  visit(document.params);
  return [...found.values()];
}

/** Parameters and account with each reference replaced by the value that it stands for. */
export function resolveAction(
  document: ActionDocument,
  valueOf: (reference: AnyReference) => string,
): { readonly account: string; readonly params: Params } {
  const resolve = (value: Param): Param => {
    const reference = asReference(value);
    if (reference !== undefined) return valueOf(reference);
    if (Array.isArray(value)) return value.map(resolve);
    if (typeof value === 'object')
      return Object.fromEntries(Object.entries(value).map(([name, held]) => [name, resolve(held)]));
    return value;
  };
  const { account } = document;
  return {
    account: typeof account === 'string' ? account : valueOf(account),
    params: Object.fromEntries(
      Object.entries(document.params).map(([name, value]) => [name, resolve(value)]),
    ),
  };
}

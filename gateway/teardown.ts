import { z } from 'zod';
import type { ActionDocument } from '../domain/documents.js';
import { Failure, invariant } from '../domain/errors.js';
import type { Digest, EffectId, RunId } from '../domain/ids.js';
import type { EffectStep } from '../domain/steps.js';
import { adoptersOf } from '../store/adoptions.js';
import type { RecordMade } from '../store/adoptions.js';
import type { EffectRow } from './door-contract.js';
import type { Effect } from './effect.js';
import type { Found, Operation, OperationContext, ReadBack, Reversal } from './operation.js';
import type { Parts } from './parts.js';

/** What is torn down: the effect of a completed run as it was authorized, and its settled row. */
export interface Torn {
  readonly run: {
    readonly runId: RunId;
    readonly row: { readonly principal: string; readonly domain: string };
  };
  readonly effect: Effect;
  readonly row: EffectRow & { readonly object: string };
}

/** Fields of a settled teardown: what stays, for the report. */
export const LEFT_FIELDS = { minor: 'leftMinor', text: 'left' } as const;

/**
 * The effect that takes down what another run made. Its action only names that: object, parameters, marker and provider
 * account come from the other run's own row.
 */
export function teardownEffect(
  parts: Parts,
  action: { document: ActionDocument; digest: Digest; effectId: EffectId },
  torn: Torn,
): Effect {
  const { document } = action;
  const { effect, row } = torn;
  invariant(
    document.params['object'] === row.object &&
      document.params['made'] === row.digest &&
      document.params['run'] === torn.run.runId &&
      document.provider === effect.provider,
    `the action of ${action.effectId} names what ${torn.run.runId} has on record`,
  );
  const nothing = irreversible(torn);
  return {
    ...action,
    step: document.step,
    provider: effect.provider,
    account: effect.account,
    params: document.params,
    operation: operationOf(parts, document.operation, torn),
    reversal: nothing,
    teardown: nothing,
  };
}

function operationOf(parts: Parts, name: string, torn: Torn): Operation {
  const { effect } = torn;
  const way = effect.teardown;
  const made = madeBy(torn);
  const { token } = way;
  const readNow = (ctx: OperationContext): ReturnType<Reversal['readBack']> =>
    way.readBack(asMaker(ctx, effect), effect.params, made);
  const gone = (left: { readonly minor: number; readonly text: string }): Found => ({
    object: made.object,
    capturedMinor: 0,
    fields: { [LEFT_FIELDS.minor]: String(left.minor), [LEFT_FIELDS.text]: left.text },
  });
  return {
    name,
    provider: effect.provider,
    // Its requests read first and are idempotent, as those of a reversal are: they may follow each other at once.
    keyed: true,
    knownBy: 'nothing',
    // guard: whoever plans to count upon it is seen here, or meets the mark that the door has set.
    looksBehindDoor: true,
    params: z.unknown(),
    ...(token === undefined ? {} : { token: () => token(effect.params) }),
    check: async (ctx) => {
      // guard: looked for behind the mark that keeps new plans from counting upon it (docs/effects.md).
      await mustBeUnused(parts, torn);
      if (!(await readNow(ctx)).done) await way.inspect(asMaker(ctx, effect), effect.params, made);
    },
    send: async (ctx) => {
      await way.reverse(asMaker(ctx, effect), effect.params, made);
      const seen = await readNow(ctx);
      return seen.done
        ? gone(seen.residue)
        : { kind: 'pending', waitMs: seen.waitMs, why: seen.why };
    },
    find: async (ctx): Promise<ReadBack> => {
      const seen = await readNow(ctx);
      return seen.done ? { kind: 'found', ...gone(seen.residue) } : { kind: 'absent' };
    },
    classify: way.classify,
  };
}

/** The context with the marker of whoever made the thing: by that it is known at the provider. */
const asMaker = (ctx: OperationContext, { effectId }: Effect): OperationContext => ({
  get client() {
    return ctx.client;
  },
  account: ctx.account,
  marker: effectId,
  key: ctx.key,
  bundle: (digest) => ctx.bundle(digest),
  costMaxMinor: ctx.costMaxMinor,
});

const madeBy = ({ row }: Torn): Found => ({
  object: row.object,
  capturedMinor: row.capturedMinor,
  fields: row.fields,
});

/** Runs whose plan counts upon the thing. */
export async function usersOf(
  db: Parts['db'],
  made: {
    readonly runId: RunId;
    readonly principal: string;
    readonly domain: string;
    readonly step: EffectStep;
    readonly object: string;
    readonly params: ActionDocument['params'];
  },
): Promise<readonly string[]> {
  const { params, ...thing } = made;
  const records = thing.step === 'configure-dns' ? { records: recordsOf(params) } : {};
  return (await adoptersOf(db, { ...thing, ...records })).map(({ runId }) => runId);
}

const recordsSchema = z.array(
  z.object({ type: z.string(), name: z.string(), content: z.string() }),
);
const recordsOf = (params: ActionDocument['params']): readonly RecordMade[] =>
  recordsSchema.parse(params['records']);

async function mustBeUnused(parts: Parts, { effect, row, run }: Torn): Promise<void> {
  const users = await usersOf(parts.db, {
    runId: run.runId,
    principal: run.row.principal,
    domain: run.row.domain,
    step: row.step,
    object: row.object,
    params: effect.document.params,
  });
  if (users.length === 0) return;
  throw new Failure(
    'USED_BY_OTHERS',
    `${row.object} was adopted by ${users.join(', ')}: tearing it down takes theirs`,
    { step: row.step },
  );
}

/** Nothing makes again what was torn down: stopped half-way, the run only says so. */
const irreversible = ({ effect, row }: Torn): Reversal => ({
  name: 'teardown.stays',
  provider: effect.provider,
  inspect: () => Promise.resolve(),
  reverse: () => Promise.resolve(),
  readBack: () =>
    Promise.resolve({
      done: true,
      refundedMinor: 0,
      residue: { minor: 0, text: `${row.object} was torn down: nothing makes it again` },
    }),
  classify: effect.teardown.classify,
});

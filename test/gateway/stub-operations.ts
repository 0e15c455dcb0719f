import { z } from 'zod';
import { Failure } from '../../domain/errors.js';
import { OPERATIONS } from '../../domain/operations.js';
import type { OperationName } from '../../domain/operations.js';
import type { EffectStep, ProviderName } from '../../domain/steps.js';
import type {
  Classified,
  Clients,
  Found,
  Operation,
  OperationContext,
  Reversal,
  StepEffects,
} from '../../gateway/operation.js';
import type { Thing } from './stub-provider.js';

/** What a test may change about the world between two looks of the gateway. */
export interface StubWorld {
  /** Thrown by the check right before a step's send. */
  readonly checks: Map<EffectStep, () => void>;
  readonly usedByOthers: Set<EffectStep>;
  /** Operations whose reversal never gets done. */
  readonly stubborn: Set<EffectStep>;
}

const paramsSchema = z.record(z.string(), z.unknown());
type Params = z.infer<typeof paramsSchema>;
type Ctx = OperationContext;

const isStripe = (name: ProviderName, client: Clients[ProviderName]): client is Clients['stripe'] =>
  name === 'stripe' && 'customers' in client;

async function request(
  provider: ProviderName,
  ctx: Ctx,
  of: { method: 'GET' | 'POST' | 'DELETE'; path: string; body?: Params; key?: string },
): Promise<unknown> {
  const { client } = ctx;
  if (isStripe(provider, client)) {
    const answer: unknown = await client.rawRequest(
      of.method,
      `/v2${of.path}`,
      of.body ?? {},
      of.key === undefined ? {} : { idempotencyKey: of.key },
    );
    return answer;
  }
  const cloudflare = client;
  const answer = await cloudflare.request<{ result: unknown }>({
    method: of.method === 'GET' ? 'get' : of.method === 'POST' ? 'post' : 'delete',
    path: of.path,
    ...(of.body === undefined ? {} : { body: of.body }),
    ...(of.key === undefined ? {} : { headers: { 'Idempotency-Key': of.key } }),
  });
  return answer.result;
}

async function all(provider: ProviderName, ctx: Ctx): Promise<Thing[]> {
  const answer = await request(provider, ctx, { method: 'GET', path: '/things' });
  const list = Array.isArray(answer) ? answer : (answer as { data: unknown }).data;
  return list as Thing[];
}

const found = (thing: Thing): Found => ({
  object: thing.id,
  capturedMinor: thing.chargedMinor,
  fields: { customerId: thing.id, accountId: thing.id, zoneId: `zone_${thing.id}` },
});

/** Statuses as the facts say; everything without one is unknown. */
export function classify(error: unknown): Classified {
  const held = error as { status?: number; statusCode?: number; headers?: unknown };
  const status = held.status ?? held.statusCode;
  const say = (proof: Classified['proof'], code: Classified['code']): Classified => ({
    proof,
    code,
    message: `answered ${status ?? 'nothing'}`,
    ...(status === undefined ? {} : { status }),
    requestId: 'req_stub',
  });
  if (status === 402) return say('stored-final', 'PROVIDER_DECLINED');
  if (status === 400) return say('unstored-refusal', 'PROVIDER_REFUSED');
  if (status === 429) return say('unstored-refusal', 'PROVIDER_UNAVAILABLE');
  if (status === 500) return say('stored-500', 'OUTCOME_UNKNOWN');
  return say('unknown', 'OUTCOME_UNKNOWN');
}

/** As at the real providers: a registration and a custom domain bear no marker, and linking makes nothing. */
const KNOWN_BY: Readonly<Partial<Record<OperationName, Operation['knownBy']>>> = {
  'registrar.registrations.create': 'name',
  'workers.domains.update': 'name',
  'accounts.link': 'nothing',
};

/** The name that a thing without a marker goes by. */
const nameOf = (of: Params): string => JSON.stringify([of['domain_name'], of['hostname']]);

/** The eight operations of the plan over one simple resource, driven through the real SDKs. */
export function stubOperations(world: StubWorld): StepEffects[] {
  return (Object.keys(OPERATIONS) as OperationName[]).map((name) => {
    const { provider, step } = OPERATIONS[name];
    const keyed = provider === 'stripe' || name === 'accounts.create';
    const knownBy = KNOWN_BY[name] ?? 'marker';
    const operation: Operation<ProviderName, Params> = {
      name,
      provider,
      keyed,
      knownBy,
      params: paramsSchema,
      check: async (ctx) => {
        await all(provider, ctx);
        world.checks.get(step)?.();
      },
      send: async (ctx, params) => {
        const answer = await request(provider, ctx, {
          method: 'POST',
          path: '/things',
          body: {
            ...params,
            step,
            ...(knownBy === 'marker' ? { marker: ctx.marker } : {}),
            account: ctx.account,
            amountMinor: ctx.costMaxMinor,
          },
          ...(keyed ? { key: ctx.key } : {}),
        });
        return found(answer as Thing);
      },
      find: async (ctx, params) => {
        const [first, ...others] = (await all(provider, ctx)).filter(
          (thing) =>
            thing.alive &&
            (knownBy === 'marker'
              ? thing.marker === ctx.marker
              : thing.params['step'] === step && nameOf(thing.params) === nameOf(params)),
        );
        return first === undefined
          ? { kind: 'absent' }
          : { kind: 'found', ...found(first), others: others.map(found) };
      },
      classify,
    };
    const reversal: Reversal<ProviderName, Params> = {
      name: `undo ${name}`,
      provider,
      inspect: async (ctx) => {
        await all(provider, ctx);
        if (world.usedByOthers.has(step))
          throw new Failure('USED_BY_OTHERS', `${step}: others use it by now`);
      },
      reverse: async (ctx, _params, made) => {
        if (!world.stubborn.has(step))
          await request(provider, ctx, { method: 'DELETE', path: `/things/${made.object}` });
      },
      readBack: async (ctx, _params, made) => {
        const thing = (await all(provider, ctx)).find(({ id }) => id === made.object);
        return thing?.alive === true
          ? { done: false, waitMs: 10, why: 'still there' }
          : {
              done: true,
              refundedMinor: thing?.refundedMinor ?? 0,
              residue: { minor: 0, text: '' },
            };
      },
      classify,
    };
    return { operation, reversal } as unknown as StepEffects;
  });
}

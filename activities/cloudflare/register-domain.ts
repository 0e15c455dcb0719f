import { z } from 'zod';
import { Failure } from '../../domain/errors.js';
import type { Found, Operation, OperationContext, Reversal } from '../../gateway/operation.js';
import { classifyCloudflare, codeWord, orMissing } from './errors.js';
import { REGISTRAR } from './needs.js';
import { cloudflareReaders } from './readers.js';

const params = z.object({
  domain_name: z.string(),
  years: z.int().min(1).max(10),
  auto_renew: z.literal(false),
  privacy_mode: z.literal('redaction'),
});
type Params = z.infer<typeof params>;
type Context = OperationContext<'cloudflare'>;

/**
 * The registrar says nowhere what it charged, so the approved ceiling is booked: the live price was at most that
 * within seconds of the request. A higher charge is what `reconcile` looks for.
 */
const made = ({ costMaxMinor }: Context, domain: string): Found => ({
  object: domain,
  capturedMinor: costMaxMinor,
  fields: { domain },
});

const STEP = { step: 'register-domain' } as const;

/**
 * Registers a name: the one effect that cannot be taken back. The name itself is the registrar's only key, so the
 * request is sent again only once the registration is surely absent.
 */
export const registerDomain: Operation<'cloudflare', Params> = {
  name: 'registrar.registrations.create',
  provider: 'cloudflare',
  keyed: false,
  knownBy: 'name',
  params,
  token: () => REGISTRAR,
  // The register call takes no highest price: the live check is the last look, seconds before it.
  check: async (ctx, { domain_name: name, years }) => {
    const status = await statusOf(ctx, name);
    if (status?.state === 'failed')
      throw new Failure(
        'PROVIDER_REFUSED',
        `the registration of ${name} failed at the registrar: a person has to look before it is tried again`,
        STEP,
      );
    const seen = await cloudflareReaders.domain(ctx.client, ctx.account, name);
    if (!seen.registrable)
      throw new Failure('PROVIDER_REFUSED', `${name} cannot be registered: ${seen.reason}`, STEP);
    const price = seen.registrationMinor + (years - 1) * seen.renewalMinor;
    if (price > ctx.costMaxMinor)
      throw new Failure(
        'GRANT_VOID',
        `${name} now costs ${price} cents, and at most ${ctx.costMaxMinor} were approved`,
        STEP,
      );
  },
  send: async (ctx, { domain_name: name, years, auto_renew, privacy_mode }) => {
    const status = await ctx.client.registrar.registrations.create({
      account_id: ctx.account,
      domain_name: name,
      years,
      auto_renew,
      privacy_mode,
      Prefer: 'respond-async',
    });
    return status.state === 'succeeded' ? made(ctx, name) : pending(name, status.state);
  },
  find: async (ctx, { domain_name: name }) => {
    const held = await cloudflareReaders.registration(ctx.client, ctx.account, name);
    if (held?.active === true)
      return {
        kind: 'found',
        ...made(ctx, name),
        ...(held.createdAt === undefined ? {} : { madeAt: held.createdAt }),
      };
    const status = await statusOf(ctx, name);
    if (status === undefined || status.state === 'failed') return { kind: 'absent' };
    return pending(name, status.state);
  },
  // A zone comes after its domain, by itself.
  fields: async (ctx, { domain_name: name }) => {
    const zoneId = await cloudflareReaders.zoneId(ctx.client, ctx.account, name);
    return zoneId === undefined ? {} : { zoneId };
  },
  classify: classifyCloudflare,
};

const statusOf = (ctx: Context, name: string) =>
  orMissing(() => ctx.client.registrar.registrationStatus.get(name, { account_id: ctx.account }));

/** States that are not final: polled to their end, slowly where a person or the registry is waited for. */
function pending(name: string, state: string) {
  const slow = state === 'action_required' || state === 'blocked';
  const words: Readonly<Record<string, string>> = {
    action_required: 'the registrant has to confirm the e-mail that the registrar sent',
    blocked: 'the registry has to confirm',
  };
  return {
    kind: 'pending' as const,
    waitMs: slow ? 60_000 : 1_000,
    why: `${name} is ${codeWord(state)}${words[state] === undefined ? '' : `: ${words[state]}`}`,
  };
}

/** A name cannot be given back: it is kept from renewing, and a person may ask support for the money. */
export const disableAutoRenew: Reversal<'cloudflare', Params> = {
  name: 'registrar.registrations.edit',
  provider: 'cloudflare',
  token: () => REGISTRAR,
  inspect: () => Promise.resolve(),
  reverse: async ({ client, account }, _params, { object }) => {
    await client.registrar.registrations.edit(object, { account_id: account, auto_renew: false });
  },
  readBack: async ({ client, account }, { years }, { object, capturedMinor }) => {
    const held = await cloudflareReaders.registration(client, account, object);
    if (held?.autoRenew === true)
      return { done: false, waitMs: 500, why: `${object} would still renew by itself` };
    // Deleted by a person since, perhaps with its money back: the registrar's answers do not say.
    const gone = `${object} is not registered here any more; whether its price came back is in Cloudflare's bills`;
    if (held === undefined)
      return { done: true, refundedMinor: 0, residue: { minor: capturedMinor, text: gone } };
    return {
      done: true,
      refundedMinor: 0,
      residue: {
        minor: capturedMinor,
        text: `${object} stays registered and paid for ${years} year${years === 1 ? '' : 's'}; it does not renew`,
      },
    };
  },
  caseText: (_params, { object }) =>
    `${object} was registered for a run that was taken back. Within five days of the registration a person may ask Cloudflare support to delete it and refund it; afterwards it stays until it expires.`,
  classify: classifyCloudflare,
};

import { z } from 'zod';
import { Failure } from '../../domain/errors.js';
import type { Found, Operation, OperationContext, Reversal } from '../../gateway/operation.js';
import { classifyCloudflare, isMissing } from './errors.js';
import { WORKERS } from './needs.js';
import { cloudflareReaders } from './readers.js';

const params = z.object({ hostname: z.string(), service: z.string(), zone_name: z.string() });
type Params = z.infer<typeof params>;

const STEP = { step: 'attach-domain' } as const;
/** A zone turns active by itself, minutes after its domain; asked for at this distance. In ms. */
const ZONE_WAIT_MS = 2_000;

/**
 * A hostname has one custom domain: hostname and Worker name it for good, while the id that Cloudflare gives changes
 * when it is attached anew.
 */
const made = ({ hostname, service }: Params): Found => ({
  object: `${hostname} -> ${service}`,
  capturedMinor: 0,
  fields: { hostname },
});

/** Lets the domain lead to the Worker; Cloudflare makes record and certificate itself. Overrides nothing. */
export const attachDomain: Operation<'cloudflare', Params> = {
  name: 'workers.domains.update',
  provider: 'cloudflare',
  keyed: false,
  knownBy: 'name',
  params,
  token: () => WORKERS,
  check: async ({ client, account }, { hostname, service, zone_name: zone }) => {
    const active = await cloudflareReaders.zoneId(client, account, zone);
    if (active === undefined)
      throw new Failure(
        'PROVIDER_UNAVAILABLE',
        `the zone ${zone} is not active yet`,
        STEP,
        ZONE_WAIT_MS,
      );
    const seen = await cloudflareReaders.customDomain(client, account, hostname);
    if (seen === undefined) return;
    if (seen.service !== service)
      throw new Failure(
        'PROVIDER_REFUSED',
        `${hostname} leads to the Worker ${seen.service} already: it is not taken away from it`,
        STEP,
      );
    // Attached anew it would look as if this run had made it, and be taken away with the run.
    throw new Failure(
      'GRANT_VOID',
      `${hostname} was attached by others since it was planned`,
      STEP,
    );
  },
  send: async ({ client, account }, wanted) => {
    await client.workers.domains.update({ account_id: account, ...wanted });
    return made(wanted);
  },
  find: async ({ client, account }, wanted) => {
    const seen = await cloudflareReaders.customDomain(client, account, wanted.hostname);
    return seen?.service === wanted.service
      ? { kind: 'found', ...made(wanted) }
      : { kind: 'absent' };
  },
  classify: classifyCloudflare,
};

const idOf = async (
  { client, account }: OperationContext<'cloudflare'>,
  { hostname, service }: Params,
): Promise<string | undefined> => {
  const seen = await cloudflareReaders.customDomain(client, account, hostname);
  return seen?.service === service ? seen.domainId : undefined;
};

/** Detaches the domain while it still leads to our Worker; another one's is left alone. */
export const detachDomain: Reversal<'cloudflare', Params> = {
  name: 'workers.domains.delete',
  provider: 'cloudflare',
  token: () => WORKERS,
  inspect: () => Promise.resolve(),
  reverse: async (ctx, wanted) => {
    const domainId = await idOf(ctx, wanted);
    if (domainId === undefined) return;
    try {
      await ctx.client.workers.domains.delete(domainId, { account_id: ctx.account });
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  },
  readBack: async (ctx, wanted) =>
    (await idOf(ctx, wanted)) === undefined
      ? { done: true, refundedMinor: 0, residue: { minor: 0, text: '' } }
      : { done: false, waitMs: 500, why: `${wanted.hostname} still leads to the site` },
  classify: classifyCloudflare,
};

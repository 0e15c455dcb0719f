import type Cloudflare from 'cloudflare';
import { z } from 'zod';
import { Failure } from '../../domain/errors.js';
import type { Found, Operation, Reversal } from '../../gateway/operation.js';
import { classifyCloudflare, orInvisible } from './errors.js';
import { shortMarker } from './marker.js';

const created = z.object({ name: z.string(), standalone: z.literal(true) });
const linked = z.object({ accountId: z.string() });
type Created = z.infer<typeof created>;
type Linked = z.infer<typeof linked>;

const made = (accountId: string): Found => ({
  object: accountId,
  capturedMinor: 0,
  fields: { accountId },
});

/** Names of accounts are not unique, so ours carries a mark by which it is found again. */
const nameOf = (name: string, marker: string): string => `${name} ${shortMarker(marker)}`;

/**
 * A free account of its own. It has an `Idempotency-Key`, but for how long that is kept is nowhere written, so it is
 * sent again only once the account is surely absent.
 */
export const createAccount: Operation<'cloudflare', Created> = {
  name: 'accounts.create',
  provider: 'cloudflare',
  keyed: false,
  knownBy: 'marker',
  params: created,
  send: async ({ client, marker, key }, { name, standalone }) => {
    const account = await client.accounts.create({
      name: nameOf(name, marker),
      standalone,
      'Idempotency-Key': key,
    });
    return made(account.id);
  },
  find: async ({ client, marker }, { name }) => {
    const found: Found[] = [];
    for await (const account of client.accounts.list({ per_page: 50 }))
      if (account.name === nameOf(name, marker)) found.push(made(account.id));
    const [first, ...others] = found;
    return first === undefined ? { kind: 'absent' } : { kind: 'found', ...first, others };
  },
  classify: classifyCloudflare,
};

const EMPTY = 'an empty free Cloudflare account stays: only a person can close it';

/** Nobody but a person can close a free account: it stays, empty, and a case says so. */
export const releaseAccount: Reversal<'cloudflare', Created> = {
  name: 'accounts.release',
  provider: 'cloudflare',
  inspect: () => Promise.resolve(),
  reverse: () => Promise.resolve(),
  readBack: () =>
    Promise.resolve({ done: true, refundedMinor: 0, residue: { minor: 0, text: EMPTY } }),
  caseText: (_params, { object }) =>
    `The Cloudflare account ${object} was made for a run that was taken back. It is free. Keep it for the next run, or close it in the dashboard once no domain is registered in it.`,
  classify: classifyCloudflare,
};

async function accessible(client: Cloudflare, accountId: string): Promise<boolean> {
  return (await orInvisible(() => client.accounts.get({ account_id: accountId }))) !== undefined;
}

/** Takes an account that exists into use. Its owner has consented; nothing is changed there. */
export const linkAccount: Operation<'cloudflare', Linked> = {
  name: 'accounts.link',
  provider: 'cloudflare',
  keyed: false,
  knownBy: 'nothing',
  params: linked,
  send: async ({ client }, { accountId }) => {
    if (await accessible(client, accountId)) return made(accountId);
    throw new Failure(
      'NEEDS_INPUT',
      `the owner of the Cloudflare account ${accountId} has not let us in`,
      { step: 'link-account' },
    );
  },
  find: async ({ client }, { accountId }) =>
    (await accessible(client, accountId))
      ? { kind: 'found', ...made(accountId) }
      : { kind: 'absent' },
  classify: classifyCloudflare,
};

/** Nothing was changed at the provider, so nothing is to be changed back. */
export const unlinkAccount: Reversal<'cloudflare', Linked> = {
  name: 'accounts.unlink',
  provider: 'cloudflare',
  inspect: () => Promise.resolve(),
  reverse: () => Promise.resolve(),
  readBack: () =>
    Promise.resolve({ done: true, refundedMinor: 0, residue: { minor: 0, text: '' } }),
  classify: classifyCloudflare,
};

import type Cloudflare from 'cloudflare';
import { z } from 'zod';
import { Failure } from '../../domain/errors.js';
import type { Found, Operation, Reversal } from '../../gateway/operation.js';
import { classifyCloudflare } from './errors.js';
import { shortMarker } from './marker.js';
import { cloudflareReaders } from './readers.js';

const created = z.object({ name: z.string(), standalone: z.literal(true) });
/** `owner`: the principal's address, as the register has it. */
const linked = z.object({ accountId: z.string(), owner: z.string() });
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

/** Has the owner let us in: do we see the account, and are they an accepted member of it themselves? */
async function consented(client: Cloudflare, { accountId, owner }: Linked): Promise<boolean> {
  const seen = await cloudflareReaders.account(client, accountId);
  return seen?.acceptedMembers.includes(owner.toLowerCase()) === true;
}

/** Takes an account that exists into use; nothing is changed there. Only its owner's consent makes it ours to use. */
export const linkAccount: Operation<'cloudflare', Linked> = {
  name: 'accounts.link',
  provider: 'cloudflare',
  keyed: false,
  knownBy: 'nothing',
  params: linked,
  // guard: a wait in the workflow is no consent, since whoever reaches Temporal can call the step without it.
  check: async ({ client }, wanted) => {
    if (await consented(client, wanted)) return;
    throw new Failure(
      'NEEDS_INPUT',
      `the owner of the Cloudflare account ${wanted.accountId} has not let us in`,
      { step: 'link-account' },
    );
  },
  send: (_ctx, { accountId }) => Promise.resolve(made(accountId)),
  find: async ({ client }, wanted) =>
    (await consented(client, wanted))
      ? { kind: 'found', ...made(wanted.accountId) }
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

import type Cloudflare from 'cloudflare';

/** Permission groups that operations need, by Cloudflare's own names; their ids are looked up, never written down. */
export type PermissionGroup = 'Workers Scripts Write' | 'DNS Write' | 'Registrar Domains Write';

/** What a minted token may do: the groups, on the one account, or on the one zone of it. */
export interface TokenNeed {
  /** Names it in the token's name: `workers`, `dns`, `registrar`. */
  readonly purpose: string;
  readonly groups: readonly [PermissionGroup, ...PermissionGroup[]];
  readonly zone?: string;
}

interface Policy {
  readonly account: string;
  readonly zone?: string | undefined;
  readonly groupIds: readonly string[];
}

/** Creates an account-owned token. Its value is in this answer and nowhere else. Throws what the SDK throws. */
export async function createToken(
  client: Cloudflare,
  of: Policy & { readonly name: string; readonly expiresMs: number },
): Promise<{ readonly id: string; readonly value: string }> {
  const resource =
    of.zone === undefined
      ? `com.cloudflare.api.account.${of.account}`
      : `com.cloudflare.api.account.zone.${of.zone}`;
  const made = await client.accounts.tokens.create({
    account_id: of.account,
    name: of.name,
    policies: [
      {
        effect: 'allow',
        permission_groups: of.groupIds.map((id) => ({ id })),
        resources: { [resource]: '*' },
      },
    ],
    expires_on: new Date(of.expiresMs).toISOString().replace('.000Z', 'Z'),
  });
  if (made.id === undefined || made.value === undefined)
    throw new Error('the answer to the mint holds no token');
  return { id: made.id, value: made.value };
}

/** Ids of the permission groups; `undefined` where the account does not offer one of them. */
export async function groupIdsOf(
  client: Cloudflare,
  account: string,
  names: readonly string[],
): Promise<readonly string[] | undefined> {
  const found = new Map<string, string>();
  for await (const { id, name } of client.accounts.tokens.permissionGroups.list({
    account_id: account,
  }))
    if (id !== undefined && name !== undefined) found.set(name, id);
  const ids = names.flatMap((name) => found.get(name) ?? []);
  return ids.length === names.length ? ids : undefined;
}

/** Tokens of the account whose name begins so, expired ones included. */
export async function tokensBeginning(
  client: Cloudflare,
  account: string,
  beginning: string,
): Promise<readonly { readonly id: string; readonly name: string }[]> {
  const found: { id: string; name: string }[] = [];
  for await (const { id, name } of client.accounts.tokens.list({
    account_id: account,
    include_expired: true,
    per_page: 50,
  }))
    if (id !== undefined && name?.startsWith(beginning) === true) found.push({ id, name });
  return found;
}

/** Deletes a token; one that is gone already is gone. Throws what the SDK throws. */
export async function deleteToken(client: Cloudflare, account: string, id: string): Promise<void> {
  try {
    await client.accounts.tokens.delete(id, { account_id: account });
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
  }
}

/** Does the service know the token that this client speaks with? A new one spreads for some seconds. */
export async function tokenWorks(client: Cloudflare, account: string): Promise<boolean> {
  try {
    const { status } = await client.accounts.tokens.verify({ account_id: account });
    return status === 'active';
  } catch (error) {
    const status = statusOf(error);
    if (status === 401 || status === 403) return false;
    throw error;
  }
}

const statusOf = (error: unknown): unknown =>
  typeof error === 'object' && error !== null && 'status' in error ? error.status : undefined;

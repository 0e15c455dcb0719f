import { effectIdOf } from '../../domain/ids.js';
import type { RunId } from '../../domain/ids.js';
import type { AtSandbox } from '../gateway/at-sandbox.js';

export interface TokenSeen {
  readonly id: string;
  readonly name: string;
  readonly accountId: string;
  readonly issuedAt: number;
  readonly expiresOn: number | null;
  readonly policies: readonly {
    readonly effect: string;
    readonly permission_groups: readonly { readonly name: string }[];
    readonly resources: Readonly<Record<string, unknown>>;
  }[];
}

/** The tokens that exist at the provider, whoever made them. */
export async function tokensAt(at: AtSandbox): Promise<readonly TokenSeen[]> {
  const truth = await at.control.truth(at.world);
  return truth.cloudflare['tokens'] as readonly TokenSeen[];
}

export const rowsOf = (at: AtSandbox, runId: RunId) =>
  at.db
    .selectFrom('provider_tokens')
    .selectAll()
    .where('run_id', '=', runId)
    .orderBy('created_at')
    .execute();

/** The values of the run's live tokens, by purpose. */
export async function valuesOf(
  at: AtSandbox,
  runId: RunId,
): Promise<ReadonlyMap<string, { readonly value: string; readonly account: string }>> {
  const { tokens } = at.parts;
  if (tokens === undefined) throw new Error('the gateway mints');
  const rows = (await rowsOf(at, runId)).filter(({ state }) => state === 'live');
  return new Map(
    rows.map((row) => {
      const value = tokens.keyring.open(
        { keyId: row.key_id!, nonce: row.nonce!, ciphertext: row.ciphertext! },
        { instance: at.instance, runId, row: row.token_id, purpose: row.purpose },
      );
      return [row.purpose, { value, account: row.account }];
    }),
  );
}

/** The Cloudflare account that the run made. */
export async function accountOf(at: AtSandbox, runId: RunId): Promise<string> {
  const effectId = effectIdOf({
    instance: at.instance,
    runId,
    step: 'link-account',
    kind: 'act',
  });
  const row = await at.parts.door.row(effectId);
  if (row?.object === undefined) throw new Error('the run has no account');
  return row.object;
}

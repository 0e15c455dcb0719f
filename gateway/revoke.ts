import { Failure, FAILURES } from '../domain/errors.js';
import type { RunId } from '../domain/ids.js';
import { accountsWithTokens, dueTokens, standingNames } from '../store/provider-tokens.js';
import type { DueToken } from '../store/provider-tokens.js';
import { deleteToken, tokensBeginning } from './cloudflare/tokens.js';
import type { Parts } from './parts.js';
import { reading } from './reading.js';
import type { TokenClass } from './token-door.js';

/** A token that died by its time and that we cannot look for any more is let go after this. In ms. */
const GIVE_UP_MS = 24 * 3_600_000;

/**
 * Revokes what is due: told so by a stop, a closed door or the end of its run, rotated, expired, or lost at its mint.
 * What cannot be revoked now stays due. Answers how many are left.
 */
export async function revokeDue(parts: Parts, runId?: RunId): Promise<number> {
  if (parts.tokens === undefined) return 0;
  let left = 0;
  for (const due of await dueTokens(parts.db, runId)) {
    try {
      if (!(await revokeOne(parts, due))) left += 1;
    } catch (error) {
      // The provider does not answer, or will not have us: the others have their turn, and this one again later.
      if (!(error instanceof Failure)) throw error;
      left += 1;
      if (due.settlesInMs < -GIVE_UP_MS)
        await parts.tokens.door.revoked(due.row.token_id, 'expired; nobody lets us look for it');
    }
  }
  return left;
}

async function revokeOne(parts: Parts, { row, settlesInMs }: DueToken): Promise<boolean> {
  const { tokens } = parts;
  if (tokens === undefined) return false;
  const client = parts.providers.forMinting(holderOf(parts, row.class));
  const at = <T>(what: string, ask: () => Promise<T>): Promise<T> =>
    reading('cloudflare', what, (error) => parts.readers.cloudflare.classify(error), ask);
  if (row.provider_token !== null) {
    const id = row.provider_token;
    await at('the token that is revoked', () => deleteToken(client, row.account, id));
    return tokens.door.revoked(row.token_id, 'deleted');
  }
  const found = await at('tokens', () => tokensBeginning(client, row.account, row.name));
  const same = found.filter(({ name }) => name === row.name);
  for (const { id } of same)
    await at('the token that is revoked', () => deleteToken(client, row.account, id));
  if (same.length > 0) return tokens.door.revoked(row.token_id, 'found by its name and deleted');
  // A mint without an answer may still show: until then nothing is concluded.
  return settlesInMs <= 0 && tokens.door.revoked(row.token_id, 'never made');
}

/** Either parent may revoke: a process that holds one of them does not wait for the other. */
const holderOf = (parts: Parts, wanted: TokenClass): TokenClass => {
  if (parts.providers.mints(wanted)) return wanted;
  return wanted === 'actions' ? 'compensations' : 'actions';
};

/** Deletes tokens that bear this instance's mark and that no row stands for. Answers their names. */
export async function sweepTokens(parts: Parts): Promise<readonly string[]> {
  if (parts.tokens === undefined) return [];
  const gone: string[] = [];
  for (const account of await accountsWithTokens(parts.db)) {
    const client = parts.providers.forMinting(holderOf(parts, 'compensations'));
    const at = <T>(ask: () => Promise<T>): Promise<T> =>
      reading('cloudflare', 'tokens', (error) => parts.readers.cloudflare.classify(error), ask);
    // The provider first: a token that is in its list has had its row before.
    const seen = await at(() => tokensBeginning(client, account, `${parts.instance}/`));
    const standing = await standingNames(parts.db, account);
    for (const { id, name } of seen.filter((token) => !standing.has(token.name))) {
      await at(() => deleteToken(client, account, id));
      gone.push(name);
    }
  }
  return gone;
}

/** Runs `body`; where it fails for good, a person is waited for, and the run's tokens do not wait with it. */
export async function revokingAtFailure<T>(
  parts: Parts,
  runId: RunId,
  of: TokenClass,
  body: () => Promise<T>,
): Promise<T> {
  try {
    return await body();
  } catch (error) {
    if (error instanceof Failure && !FAILURES[error.code].retry) {
      await parts.tokens?.door.end(runId, of, `failed with ${error.code}`);
      await revokeQuietly(parts, runId);
    }
    throw error;
  }
}

/** Revokes what a run leaves; what does not go now is the timer's. Throws nothing of the provider's or the store's. */
export async function revokeQuietly(parts: Parts, runId: RunId): Promise<void> {
  try {
    await revokeDue(parts, runId);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
  }
}

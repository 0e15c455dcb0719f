import { setTimeout as pause } from 'node:timers/promises';
import { Failure } from '../domain/errors.js';
import type { RunId } from '../domain/ids.js';
import { liveToken, resealToken } from '../store/provider-tokens.js';
import type { TokenRow } from '../store/provider-tokens.js';
import { createToken, groupIdsOf, tokenWorks } from './cloudflare/tokens.js';
import type { TokenNeed } from './cloudflare/tokens.js';
import { mark } from './deadline.js';
import type { AuthorizeAsk, Refusal } from './door-contract.js';
import type { Effect } from './effect.js';
import type { Keyring, SealedFor } from './keyring.js';
import { leaveSince } from './leave.js';
import type { Parts } from './parts.js';
import { reading } from './reading.js';
import { revokeDue } from './revoke.js';
import type { Transmission } from './send-once.js';
import type { TokenClass, TokenDoor } from './token-door.js';

/** What a gateway that mints is made of beside the rest. */
export interface TokenParts {
  readonly door: TokenDoor;
  readonly keyring: Keyring;
}

/** A token in hand: the value stays in this process's memory, for one attempt. */
export interface HeldToken {
  readonly tokenId: string;
  readonly value: string;
  /** Minted for this very attempt. */
  readonly fresh: boolean;
}

export type TokenAnswer =
  | { readonly verdict: 'held'; readonly token: HeldToken | undefined }
  | { readonly verdict: 'refused'; readonly reason: Refusal; readonly detail: string };

interface Wanted {
  readonly effect: Effect;
  readonly need: TokenNeed | undefined;
  readonly runId: RunId;
  readonly class: TokenClass;
  readonly sender: string;
  /** What the effect is authorized by; a reversal has its cause on record. */
  readonly action?: AuthorizeAsk;
}

/** A token lives at most so long; the door holds it to that. In ms. */
const LIFE_MS = 15 * 60_000;
/** A new token is known everywhere within seconds; it is asked for so long, at this distance. In ms. */
const SPREAD_MS = 10_000;
const SPREAD_STEP_MS = 200;

/**
 * The token that an effect needs: the run's own for this purpose while it is good for two more attempts, else a new
 * one, minted now. Nothing is asked where the operation needs none.
 * @throws PROVIDER_AUTH, PROVIDER_REFUSED, PROVIDER_UNAVAILABLE, OUTCOME_UNKNOWN, BUSY
 */
export async function tokenFor(parts: Parts, of: Wanted): Promise<TokenAnswer> {
  if (of.need === undefined) return { verdict: 'held', token: undefined };
  const { tokens } = parts;
  if (tokens === undefined)
    throw new Failure('PROVIDER_AUTH', 'this process holds no key to seal tokens under');
  const wanted = { ...of, need: of.need };
  const standing = await liveToken(parts.db, scopeOf(wanted));
  if (standing !== undefined && standing.leftMs > 2 * windowMs(parts)) {
    const token = await opened(parts, tokens, standing.row);
    if (token !== undefined) return { verdict: 'held', token };
  }
  return minted(parts, tokens, wanted);
}

/** A token that the provider refused is used no more; one minted long ago may have been revoked under us. */
export async function refusedToken(parts: Parts, token: HeldToken): Promise<void> {
  await parts.tokens?.door.due(token.tokenId, 'the provider refused it');
}

type Needing = Wanted & { readonly need: TokenNeed };

const scopeOf = ({ runId, class: cls, need, effect }: Needing) => ({
  runId,
  class: cls,
  purpose: need.purpose,
  account: effect.account,
  zone: need.zone ?? '',
});

const windowMs = (parts: Parts): number => parts.httpTimeouts.cloudflare + 2_000;

const boundTo = (
  parts: Parts,
  row: Pick<TokenRow, 'run_id' | 'token_id' | 'purpose'>,
): SealedFor => ({
  instance: parts.instance,
  runId: row.run_id,
  row: row.token_id,
  purpose: row.purpose,
});

/** Opens a stored value, and seals it anew where another key is current by now. A value that does not open is due. */
async function opened(
  parts: Parts,
  { keyring, door }: TokenParts,
  row: TokenRow,
): Promise<HeldToken | undefined> {
  if (row.key_id === null || row.nonce === null || row.ciphertext === null) return undefined;
  const bound = boundTo(parts, row);
  try {
    const value = keyring.open(
      { keyId: row.key_id, nonce: row.nonce, ciphertext: row.ciphertext },
      bound,
    );
    if (keyring.currentId !== row.key_id)
      await resealToken(parts.db, row, keyring.seal(value, bound));
    return { tokenId: row.token_id, value, fresh: false };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    await door.due(row.token_id, 'its value does not open');
    return undefined;
  }
}

async function minted(parts: Parts, tokens: TokenParts, of: Needing): Promise<TokenAnswer> {
  const groupIds = await groupIdsFor(parts, of);
  const before = mark(parts.clocks);
  const answer = await tokens.door.mint(of.class, {
    ...of.need,
    runId: of.runId,
    step: of.effect.step,
    effectId: of.effect.effectId,
    account: of.effect.account,
    sender: of.sender,
    lifeMs: LIFE_MS,
    httpTimeoutMs: parts.httpTimeouts.cloudflare,
    settlingMs: parts.settling.cloudflare,
    action: of.action,
  });
  if (answer.verdict === 'refused') return answer;
  if (answer.verdict === 'wait')
    throw new Failure('BUSY', `${of.effect.step}: a token is being minted`, {}, answer.waitMs);
  const transmission: Transmission = { begun: 0, changes: new Set() };
  const client = parts.providers.forMinting(of.class, {
    deadline: before.deadlineAfter(answer.remainingMs),
    transmission,
    // What takes back is stopped by nothing.
    leave:
      of.class === 'actions'
        ? leaveSince(before, parts.clocks, () => tokens.door.still(answer.tokenId))
        : undefined,
  });
  let made: Awaited<ReturnType<typeof createToken>>;
  try {
    made = await createToken(client, {
      account: of.effect.account,
      zone: of.need.zone,
      groupIds,
      name: answer.name,
      expiresMs: answer.expiresMs,
    });
  } catch (error) {
    throw await notMinted(parts, tokens, of, { tokenId: answer.tokenId, error, transmission });
  }
  const state = await tokens.door.minted({
    tokenId: answer.tokenId,
    providerToken: made.id,
    sealed: tokens.keyring.seal(
      made.value,
      boundTo(parts, {
        run_id: of.runId,
        token_id: answer.tokenId,
        purpose: of.need.purpose,
      }),
    ),
  });
  if (state === 'due') {
    await revokeDue(parts, of.runId);
    throw new Failure('PROVIDER_UNAVAILABLE', `${of.effect.step}: its token was stopped`);
  }
  await spread(parts, of, { tokenId: answer.tokenId, value: made.value });
  // What this one replaces goes now; what cannot go now is tried again by the worker's timer.
  await revokeDue(parts, of.runId);
  return {
    verdict: 'held',
    token: { tokenId: answer.tokenId, value: made.value, fresh: true },
  };
}

/** Ids of permission groups are the same for all: asked for once a process and name. */
const knownGroups = new WeakMap<Parts['providers'], Map<string, readonly string[]>>();

async function groupIdsFor(parts: Parts, of: Needing): Promise<readonly string[]> {
  const known = knownGroups.get(parts.providers) ?? new Map<string, readonly string[]>();
  knownGroups.set(parts.providers, known);
  const wanted = of.need.groups.join(', ');
  const held = known.get(wanted);
  if (held !== undefined) return held;
  const client = parts.providers.forMinting(of.class);
  const ids = await reading(
    'cloudflare',
    'permission groups',
    (error) => parts.readers.cloudflare.classify(error),
    () => groupIdsOf(client, of.effect.account, of.need.groups),
  );
  if (ids === undefined)
    throw new Failure('PROVIDER_AUTH', `cloudflare offers no permission groups ${wanted}`);
  known.set(wanted, ids);
  return ids;
}

/** No token came. Surely none was made, or it is due: its value is lost, and it is found by its name. */
async function notMinted(
  parts: Parts,
  tokens: TokenParts,
  of: Needing,
  { tokenId, error, transmission }: { tokenId: string; error: unknown; transmission: Transmission },
): Promise<Failure> {
  const { proof, code, message } = parts.readers.cloudflare.classify(error);
  const surely = transmission.begun === 0 || proof === 'unstored-refusal';
  if (surely) await tokens.door.revoked(tokenId, 'never made');
  else await tokens.door.due(tokenId, 'no answer to the mint came');
  const words = `${of.effect.step}: no token was minted: ${message}`;
  if (!surely) return new Failure('OUTCOME_UNKNOWN', words, { step: of.effect.step }, 500);
  const final = transmission.begun > 0 && (code === 'PROVIDER_AUTH' || code === 'PROVIDER_REFUSED');
  return new Failure(final ? code : 'PROVIDER_UNAVAILABLE', words, { step: of.effect.step });
}

async function spread(
  parts: Parts,
  of: Needing,
  token: { readonly tokenId: string; readonly value: string },
): Promise<void> {
  const client = parts.providers.asToken(token.value);
  const works = (): Promise<boolean> =>
    reading(
      'cloudflare',
      'the new token',
      (error) => parts.readers.cloudflare.classify(error),
      () => tokenWorks(client, of.effect.account),
    );
  for (let waited = 0; waited < SPREAD_MS; waited += SPREAD_STEP_MS) {
    if (await works()) return;
    await pause(SPREAD_STEP_MS);
  }
  await parts.tokens?.door.due(token.tokenId, 'it did not spread');
  throw new Failure('PROVIDER_UNAVAILABLE', `${of.effect.step}: its token is not known yet`);
}

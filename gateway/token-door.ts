import { sql, type RawBuilder } from 'kysely';
import type { RunId } from '../domain/ids.js';
import type { Database } from '../store/connect.js';
import { asStoreFailure } from '../store/failures.js';
import type { AuthorizeAsk, Refusal } from './door-contract.js';
import type { Sealed } from './keyring.js';

export type TokenClass = 'actions' | 'compensations';

/** What a token may do, and on what. One is shared by the effects of a run that need the same. */
export interface TokenScope {
  /** `workers`, `dns`, `registrar`: stands in the token's name. */
  readonly purpose: string;
  readonly account: string;
  /** Where the token is for one zone of the account. */
  readonly zone?: string;
}

/** Asks to mint; for an action with everything that its effect is authorized by. Times in ms. */
export interface MintAsk extends TokenScope {
  readonly runId: RunId;
  readonly step: string;
  readonly effectId: string;
  readonly sender: string;
  readonly lifeMs: number;
  readonly httpTimeoutMs: number;
  readonly settlingMs: number;
  /** The effect's own ask; a reversal has none: its cause is on record. */
  readonly action?: AuthorizeAsk | undefined;
}

export type MintAnswer =
  | {
      readonly verdict: 'granted';
      readonly tokenId: string;
      /** `<instance>/<run>/<purpose>/<n>`: the provider's name for it, and how it is found again. */
      readonly name: string;
      readonly expiresMs: number;
      readonly remainingMs: number;
    }
  | { readonly verdict: 'wait'; readonly waitMs: number }
  | { readonly verdict: 'refused'; readonly reason: Refusal; readonly detail: string };

/** The transactions of minting and revoking (store/door-sql/tokens.ts). @throws STORE_UNAVAILABLE */
export interface TokenDoor {
  mint(of: TokenClass, ask: MintAsk): Promise<MintAnswer>;
  /** May it still be minted? Not once a stop has come in between. */
  still(tokenId: string): Promise<boolean>;
  /** Keeps what was minted. `due`: a stop was quicker, the token must not be used. */
  minted(token: {
    readonly tokenId: string;
    readonly providerToken: string;
    readonly sealed: Sealed;
  }): Promise<'live' | 'due'>;
  /** From now on it is to be revoked. */
  due(tokenId: string, why: string): Promise<void>;
  /** The run's live tokens of a class are to be revoked. */
  end(runId: RunId, of: TokenClass, why: string): Promise<void>;
  /** It is gone at the provider, or surely never was. False: it was revoked before. */
  revoked(tokenId: string, evidence: string): Promise<boolean>;
}

export function createTokenDoor(db: Database): TokenDoor {
  return {
    mint: async (of, { action, zone = '', ...ask }) => {
      const asked = { ...action, ...ask, zone, class: of, provider: 'cloudflare' };
      return one<MintAnswer>(db, sql`select token_mint(${JSON.stringify(asked)}::jsonb) as answer`);
    },
    still: (tokenId) => one<boolean>(db, sql`select token_still(${tokenId}) as answer`),
    minted: ({ tokenId, providerToken, sealed }) => {
      const told = {
        tokenId,
        providerToken,
        keyId: sealed.keyId,
        nonce: sealed.nonce.toString('hex'),
        ciphertext: sealed.ciphertext.toString('hex'),
      };
      return one<'live' | 'due'>(
        db,
        sql`select token_minted(${JSON.stringify(told)}::jsonb) as answer`,
      );
    },
    due: async (tokenId, why) => {
      await one(db, sql`select token_due(${tokenId}, ${why}) as answer`);
    },
    end: async (runId, of, why) => {
      await one(db, sql`select tokens_end(${runId}, ${of}, ${why}) as answer`);
    },
    revoked: (tokenId, evidence) =>
      one<boolean>(
        db,
        sql`select token_revoked(${tokenId}, ${JSON.stringify({ evidence })}::jsonb) as answer`,
      ),
  };
}

async function one<T>(db: Database, call: RawBuilder<unknown>): Promise<T> {
  try {
    const { rows } = await call.execute(db);
    return (rows[0] as { answer: T }).answer;
  } catch (error) {
    throw asStoreFailure(error);
  }
}

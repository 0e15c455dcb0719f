import type { Logger } from 'pino';
import type { Parts } from '../gateway/parts.js';
import { revokeDue, sweepTokens } from '../gateway/revoke.js';
import { noteCredentials } from '../store/credential-states.js';
import type { Rotating } from './rotation.js';
import { repeating } from './repeating.js';

/** A stop makes tokens due; they go within this. In ms. */
export const REVOKE_EVERY_MS = 500;
/** How often newer credentials are looked for, in ms. */
export const ROTATE_EVERY_MS = 2_000;
/** How often the process says what it holds; more often when that has changed. In ms. */
const TELL_EVERY_MS = 30_000;
const LEFTOVERS_EVERY_MS = 60_000;

export interface KeeperOptions {
  readonly parts: Parts;
  readonly rotating: readonly Rotating[];
  /** Names this process on record. */
  readonly process: string;
  readonly log: Logger;
}

/** Revokes what is due, deletes leftovers, and takes newer credentials into use. Answers what stops it. */
export function startKeepers(options: KeeperOptions): () => Promise<void> {
  const { parts, log } = options;
  const keeping = (everyMs: number, what: string, body: () => Promise<void>) =>
    repeating({ everyMs, log, unfinished: 'not done', fields: { what } }, body);
  const every = [
    keeping(REVOKE_EVERY_MS, 'revoking', async () => {
      await revokeDue(parts);
    }),
    keeping(LEFTOVERS_EVERY_MS, 'leftover tokens', async () => {
      const gone = await sweepTokens(parts);
      if (gone.length > 0) log.warn({ tokens: gone.length }, 'leftover tokens were revoked');
    }),
    keeping(ROTATE_EVERY_MS, 'credentials', rotator(options)),
  ];
  return async () => {
    await Promise.all(every.map((stop) => stop()));
  };
}

function rotator({ parts, rotating, process, log }: KeeperOptions): () => Promise<void> {
  let told = '';
  let toldAtMs = 0;
  return async () => {
    await Promise.all(rotating.map((secret) => secret.poll()));
    const states = rotating.map((secret) => secret.state());
    const now = JSON.stringify(
      states.map(({ name, fingerprint, problem }) => [name, fingerprint, problem]),
    );
    if (now === told && Date.now() - toldAtMs < TELL_EVERY_MS) return;
    if (told !== '' && now !== told)
      for (const { name, fingerprint, problem } of states)
        log.warn({ name, fingerprint, problem }, 'credentials have changed');
    await noteCredentials(
      parts.db,
      process,
      states.map(({ sinceMs, ...state }) => ({ ...state, since: new Date(sinceMs) })),
    );
    told = now;
    toldAtMs = Date.now();
  };
}

import type { Logger } from 'pino';
import type { Parts } from '../gateway/parts.js';
import { revokeDue, sweepTokens } from '../gateway/revoke.js';
import { noteCredentials } from '../store/credential-states.js';
import type { Rotating } from './rotation.js';

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
  const every = [
    repeating(REVOKE_EVERY_MS, log, 'revoking', async () => {
      await revokeDue(parts);
    }),
    repeating(LEFTOVERS_EVERY_MS, log, 'leftover tokens', async () => {
      const gone = await sweepTokens(parts);
      if (gone.length > 0) log.warn({ tokens: gone.length }, 'leftover tokens were revoked');
    }),
    repeating(ROTATE_EVERY_MS, log, 'credentials', rotator(options)),
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

/** Does it at once and then at intervals, never twice at a time; a failure is logged, and the next turn tries again. */
function repeating(
  everyMs: number,
  log: Logger,
  what: string,
  body: () => Promise<void>,
): () => Promise<void> {
  let running: Promise<void> | undefined;
  const once = (): void => {
    running ??= body()
      .catch((error: unknown) => {
        log.warn({ what, name: error instanceof Error ? error.name : typeof error }, 'not done');
      })
      .finally(() => {
        running = undefined;
      });
  };
  once();
  const timer = setInterval(once, everyMs);
  return async () => {
    clearInterval(timer);
    await running;
  };
}

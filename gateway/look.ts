import { idempotencyKeyOf } from '../domain/ids.js';
import type { Sender } from './contract.js';
import { deadlineIn } from './deadline.js';
import { contextOf } from './effect.js';
import type { Effect } from './effect.js';
import { LEAVE_MS, type Leave } from './leave.js';
import type { SiteFile } from './operation.js';
import type { Parts } from './parts.js';

interface Looking {
  readonly sender: Sender;
  readonly bundle: (digest: string) => Promise<readonly SiteFile[]>;
}

/** Does the world still fit what was approved? Reads only. @throws what the operation's check throws */
export async function look(
  parts: Parts,
  effect: Effect,
  { sender, bundle }: Looking,
  leave?: Leave,
): Promise<void> {
  const reads = parts.providers.forReading('actions', sender.signal, leave);
  // A look changes nothing: no key is used up by it, and it has no epoch yet.
  const key = idempotencyKeyOf(effect.effectId, 0);
  await effect.operation.check?.(contextOf(effect, reads, { key, bundle }), effect.params);
}

/** The door's word, once it is there; undefined: it let nobody through. */
export interface Word {
  readonly attempt: number;
}

/** A look that was begun while the door was being asked. */
export interface LookAhead {
  /** Told what the door said: without its word nothing more is asked of the provider. */
  told(word: Word | undefined): void;
  /** Waits for its end. False: it ended too long ago to send by. @throws what the operation's check throws */
  holds(): Promise<boolean>;
}

/** What was seen counts for so long after the look has ended; then the door was slow, and one looks again. In ms. */
const SEEN_MS = 1_000;

/**
 * Looks while the door is being asked: neither waits for the other, and both have to agree. Where it takes longer than a
 * leave is good for, its next read waits for the door's word and has it renewed, so that a process that was frozen and
 * stopped in between asks the provider for nothing.
 */
export function lookAhead(parts: Parts, effect: Effect, of: Looking): LookAhead {
  let fresh = deadlineIn(LEAVE_MS, parts.clocks);
  let tell: (word: Word | undefined) => void = () => undefined;
  const word = new Promise<Word | undefined>((resolve) => {
    tell = resolve;
  });
  const giveUp = new AbortController();
  const signal = AbortSignal.any([of.sender.signal, giveUp.signal]);
  const leave: Leave = {
    isStale: () => fresh.leftMs() <= 0,
    renewed: async () => {
      const granted = await word;
      const asked = deadlineIn(LEAVE_MS, parts.clocks);
      if (granted === undefined || !(await parts.door.still(effect.effectId, granted.attempt)))
        return false;
      fresh = asked;
      return true;
    },
  };
  const taken = look(parts, effect, { ...of, sender: { ...of.sender, signal } }, leave).then(
    () => ({ seen: deadlineIn(SEEN_MS, parts.clocks) }),
    (error: unknown) => ({ error }),
  );
  return {
    told: (said) => {
      tell(said);
      if (said === undefined) giveUp.abort();
    },
    holds: async () => {
      const end = await taken;
      if ('error' in end) throw end.error;
      return end.seen.leftMs() > 0;
    },
  };
}

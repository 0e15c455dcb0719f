import type { Trust } from '../domain/trust.js';
import type { Executor } from '../store/connect.js';
import { insertPins, lastPins } from '../store/root-pins.js';
import { lockFence } from '../store/policies.js';
import type { Parts } from './parts.js';
import { stop } from './stop.js';

export type Pinned =
  | { readonly kind: 'as-before' | 'recorded' | 'recovered' }
  /** Root keys that this installation was never opened with: nothing may rest on them yet. */
  | { readonly kind: 'foreign'; readonly foreign: readonly string[] };

/** Pinned root keys that this installation was never opened with; of one that was never opened: none. */
export async function foreignRoots(
  db: Executor,
  { rootKeys }: Pick<Trust, 'rootKeys'>,
): Promise<readonly string[]> {
  const seen = await lastPins(db);
  return seen === undefined ? [] : rootKeys.filter((key) => !seen.includes(key));
}

/**
 * Are these the root keys that this installation was opened with? Fewer of them are recorded and logged; others are
 * taken on `recover` alone, and then everything is held still until somebody whom they lead to lifts it.
 */
export async function pinRoots(
  parts: Pick<Parts, 'db' | 'door' | 'trust'>,
  { recover }: { readonly recover: boolean },
): Promise<Pinned> {
  const { db } = parts;
  const rootKeys = [...parts.trust.rootKeys].sort();
  if (rootKeys.length === 0) return { kind: 'as-before' };
  const seen = await lastPins(db);
  if (seen?.join() === rootKeys.join()) return { kind: 'as-before' };
  const foreign = await foreignRoots(db, parts.trust);
  const recovered = foreign.length > 0;
  // guard: whoever can change a configuration makes themselves nobody's root without a trace and a hold.
  if (recovered && !recover) return { kind: 'foreign', foreign };
  // Held first: what follows may fail, and must not leave new roots in power over runs that go on.
  if (recovered)
    await stop(parts, {
      scope: 'all',
      mode: 'hold',
      reason: `opened with --recover: other root keys are pinned (${foreign.join(', ')})`,
      by: 'operator',
      proven: false,
    });
  await db.transaction().execute(async (tx) => {
    await lockFence(tx);
    const former = await lastPins(tx);
    if (former?.join() !== rootKeys.join())
      await insertPins(tx, { rootKeys, former: former ?? [], recovered });
  });
  return { kind: recovered ? 'recovered' : 'recorded' };
}

import { CLOCKS_APART_MS, originOf } from '../store/ownership.js';
import type { Effect } from './effect.js';
import type { Found } from './operation.js';
import type { Parts } from './parts.js';

/**
 * May what was found under the effect's name be what the effect made? A marker says so by itself. A name says nothing:
 * there it must have come to be since the effect began, and be on no other run's record.
 */
export async function mayBeOurs(
  parts: Pick<Parts, 'db'>,
  { effectId, operation }: Effect,
  { object, madeAt }: Found,
): Promise<boolean> {
  if (operation.knownBy !== 'name') return true;
  const origin = await originOf(parts.db, {
    effectId,
    object,
    ...(madeAt === undefined ? {} : { madeAt }),
  });
  if (origin === undefined) return false;
  if (origin.object === object) return true;
  if (origin.holder !== undefined) return false;
  return madeAt === undefined || madeAt.getTime() >= origin.begunAt.getTime() - CLOCKS_APART_MS;
}

/**
 * Surely nothing was made, and what bears no marker cannot be looked for: whatever has the name is somebody else's.
 * (What bears our marker is looked for even then.)
 */
export async function surelyNothing(
  parts: Pick<Parts, 'db'>,
  { effectId, operation }: Effect,
): Promise<boolean> {
  if (operation.knownBy === 'marker') return false;
  return (await originOf(parts.db, { effectId }))?.refused === true;
}

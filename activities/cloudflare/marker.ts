import { createHash } from 'node:crypto';

/**
 * A short form of an effect id, for fields that hold few characters (a comment, an account's name): 32 hex digits of
 * its SHA-256, so that it can be found again but names nobody.
 */
export function shortMarker(marker: string): string {
  return createHash('sha256').update(marker).digest('hex').slice(0, 32);
}

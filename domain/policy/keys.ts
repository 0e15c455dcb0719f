import { z } from 'zod';
import { duration, word } from './members.js';

/** Approver keys: who admits them, from when they count, and which of them count where several persons are asked. */
export const keys = z.strictObject({
  /** The group whose members admit another person's key; absent: those who may put another policy in force. */
  administrators: word.optional(),
  /** How long after its admission a key begins to count; absent: 24 h in production, at once on one's own machine. */
  delay: duration.optional(),
  /** `several-persons`: at gates of two persons and more only passkeys count that cannot be copied to another device. */
  deviceBound: z.enum(['nowhere', 'several-persons']).default('nowhere'),
});
type Keys = z.infer<typeof keys>;

/** What `policy explain` says of it. */
export function keysExplained(of: Keys | undefined): string[] {
  const { administrators, delay, deviceBound = 'nowhere' } = of ?? {};
  return [
    administrators === undefined
      ? '- Another person’s key is admitted by those who may put another policy in force.'
      : `- Another person’s key is admitted by members of ${administrators}.`,
    delay === undefined
      ? '- An admitted key counts after 24 h in production, at once on one’s own machine.'
      : `- An admitted key counts after ${delay}.`,
    deviceBound === 'nowhere'
      ? '- Key files and passkeys of every kind count (deviceBound: nowhere).'
      : '- Where two persons or more are asked, only passkeys that cannot be copied count (deviceBound: several-persons).',
  ];
}

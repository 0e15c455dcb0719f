/**
 * Why a statement or a decision is refused, in the order in which it is judged: the first that fits is
 * the one that is logged. Append-only: logs and test vectors hold these names.
 */
export const REFUSAL_REASONS = [
  'too-large',
  'malformed',
  'not-canonical',
  'type-mismatch',
  'instance-mismatch',
  'gate-unknown',
  'gate-closed',
  'gate-expired',
  'digest-mismatch',
  'unsigned',
  'key-unknown',
  'key-revoked',
  'key-not-yet-active',
  'key-not-of-approver',
  'signature-bad',
  'webauthn-malformed',
  'webauthn-type',
  'webauthn-challenge',
  'webauthn-origin',
  'webauthn-cross-origin',
  'webauthn-rp-id',
  'webauthn-user-presence',
  'webauthn-user-verification',
  'webauthn-backup-flags',
  'webauthn-credential',
  'webauthn-user-handle',
  'webauthn-signature',
  'webauthn-device-bound',
  'webauthn-counter',
  'not-human',
  'excluded-requester',
  'excluded-agent',
  'excluded-owner',
  'excluded-principal',
  'not-in-group',
  'person-already-counted',
  'withdrawn',
  'nothing-to-withdraw',
  'already-used',
  'clock-skew',
] as const;

export type RefusalReason = (typeof REFUSAL_REASONS)[number];

/** Bytes or a value that are no statement of this protocol; `reason` is the name to log. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  constructor(
    readonly reason: RefusalReason,
    message: string,
  ) {
    super(message);
  }
}

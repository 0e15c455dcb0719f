/**
 * Every kind of thing that people are told of, and its title. A notice is written with the thing it tells
 * (`store/notices.ts`), and put into words when it is sent (`domain/notice-words.ts`). Append-only: policies name them.
 */
export const NOTICE_TITLES = {
  'gate-opened': 'A gate waits for a decision',
  'gate-reminder': 'A gate still waits for a decision',
  'gate-escalated': 'A gate is close to its end without a decision',
  'gate-granted': 'A gate was granted',
  'gate-rejected': 'A gate was rejected',
  'gate-expired': 'A gate expired: nobody decided in time',
  'gate-void': 'A gate became void',
  'break-glass': 'The glass was broken: one person passed a gate alone',
  stopped: 'A stop was set',
  resumed: 'A stop was lifted',
  'breaker-open': 'A provider does not answer: runs wait for it',
  'breaker-closed': 'A provider answers again: runs go on',
  'run-stuck': 'A run is stuck and needs a person',
  'cap-alert': 'A cap is close to its end, or at it',
  anomaly: 'Something unusual was seen',
  'key-admitted': 'A key was admitted and will count',
  'key-revoked': 'A key was revoked',
  'webauthn-counter': 'A passkey may have been copied: its counter stepped back',
  'service-key-revoked': 'The key of a service was revoked',
  'account-linked': 'An account was linked to a person',
  'account-void': 'The link of an account to a person ended',
  'agent-suspended': 'An agent was suspended',
  'agent-resumed': 'An agent may act again',
  'agent-removed': 'An agent was removed for good',
  'agent-owner': 'Another person answers for an agent',
  'agent-rotated': 'An agent has new credentials',
  'agent-allowed': 'What an agent may do was changed',
  'person-deactivated': 'A person was deactivated and decides nothing',
  'person-reactivated': 'A person is active again',
  'delegation-given': 'A person delegated something to an agent',
  'delegation-revoked': 'A delegation was revoked',
  'case-opened': 'A case was opened',
  'case-closed': 'A case was closed',
} as const;

export type NoticeKind = keyof typeof NOTICE_TITLES;
export const NOTICE_KINDS = Object.keys(NOTICE_TITLES) as [NoticeKind, ...NoticeKind[]];
export const isNoticeKind = (kind: string): kind is NoticeKind =>
  Object.hasOwn(NOTICE_TITLES, kind);

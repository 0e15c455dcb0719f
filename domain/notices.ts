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
  'case-opened': 'A case was opened',
  'case-closed': 'A case was closed',
} as const;

export type NoticeKind = keyof typeof NOTICE_TITLES;
export const NOTICE_KINDS = Object.keys(NOTICE_TITLES) as [NoticeKind, ...NoticeKind[]];
export const isNoticeKind = (kind: string): kind is NoticeKind =>
  Object.hasOwn(NOTICE_TITLES, kind);

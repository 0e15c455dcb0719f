import { invariant } from '../errors.js';
import { instantToMs } from '../instant.js';
import type { Request } from '../request.js';
import type { Policy } from './schema.js';
import type { Ask } from './verdict.js';

/** Has the day of review come? `nowMs` by the database's clock. */
export function isOverdue({ reviewBy }: Policy, nowMs: number): boolean {
  if (reviewBy === undefined) return false;
  const dayMs = instantToMs(`${reviewBy}T00:00:00.000Z`);
  invariant(dayMs !== undefined, 'a parsed policy names a day that exists');
  return nowMs >= dayMs;
}

/** What an overdue policy says of a request: nothing, unless it denies production until somebody has read it again. */
export function reviewAsks(policy: Policy, request: Request, nowMs: number): Ask[] {
  if (request.environment !== 'production' || policy.overdue !== 'deny-production') return [];
  return isOverdue(policy, nowMs)
    ? [{ verdict: 'denied', rule: 'reviewBy', text: overdueText(policy) }]
    : [];
}

/** What a notice says of it: nothing as long as the day has not come. */
export function overdueFacts(policy: Policy, nowMs: number): Readonly<Record<string, unknown>> {
  return isOverdue(policy, nowMs) ? { reviewBy: policy.reviewBy, reviewers: policy.owners } : {};
}

/** One sentence for cards, notices and status. */
export function overdueText({ reviewBy, owners }: Pick<Policy, 'reviewBy' | 'owners'>): string {
  const whose = owners.length === 0 ? '' : ` by ${owners.join(', ')}`;
  return `the policy was to be reviewed${whose} before ${reviewBy ?? ''}`;
}

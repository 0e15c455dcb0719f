import type { Logger } from 'pino';
import type { CountersignClient } from '../client/client.js';
import type { Parts } from '../gateway/parts.js';
import type { WebhookTrust } from '../gateway/stripe/webhook.js';
import type { VerifyToken } from './verify-token.js';

/** What the server works with. It holds no provider credential. */
export interface ServerParts {
  readonly gateway: Parts;
  /** Temporal; it carries claims and wakes runs, and is not needed to record anything. */
  readonly temporal: Pick<CountersignClient, 'startAdmitted' | 'run'>;
  readonly verify: VerifyToken;
  readonly webhook: WebhookTrust;
  /** As callers write it: scheme, host, port. */
  readonly publicUrl: string;
  readonly audience: string;
  readonly issuers: readonly string[];
  readonly cliClientId: string;
  readonly log: Logger;
  readonly nowMs: () => number;
}

import type { Logger } from 'pino';
import type { RunHandle } from '../client/run-handle.js';
import type { Request } from '../domain/request.js';
import type { Parts } from '../gateway/parts.js';
import type { WebhookTrust } from '../gateway/stripe/webhook.js';
import type { VerifyToken } from './verify-token.js';

/** What of Temporal the server needs: to start runs that are on record, and to tell runs to look at the record. */
export interface Told {
  startAdmitted(of: { readonly runId: string; readonly request: Request }): Promise<unknown>;
  run(runId: string): Pick<RunHandle, 'decide' | 'stop'>;
}

/** What the server works with. It holds no provider credential. */
export interface ServerParts {
  readonly gateway: Parts;
  /** Temporal; it carries claims and wakes runs, and is not needed to record anything. */
  readonly temporal: Told;
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

import type { Config } from '../config/load.js';
import type { RunId } from '../domain/ids.js';
import type { Plan } from '../domain/plan.js';
import type { Request } from '../domain/request.js';
import { previewPlan } from '../gateway/preview.js';
import { withReadingParts } from './reading-parts.js';

/**
 * Plans a request without a run: reads at the providers with the reading credentials alone, and writes nothing.
 * @throws POLICY_MISSING, PROVIDER_AUTH, PROVIDER_UNAVAILABLE, UsageError, UnreachableError
 */
export const previewRun = (config: Config, runId: RunId, request: Request): Promise<Plan> =>
  withReadingParts(config, (parts) => previewPlan(parts, runId, request));

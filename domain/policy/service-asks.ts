import { dataClassOf } from '../data-class.js';
import type { Request } from '../request.js';
import type { EffectStep } from '../steps.js';
import type { Policy } from './schema.js';
import { serviceOf } from './services.js';
import type { Ask } from './verdict.js';

/** Is the service of a step allowed for this environment and this class of data? One rule that says so suffices. */
export function serviceAsks(policy: Policy, request: Request, step: EffectStep): Ask[] {
  const service = serviceOf(step);
  const data = dataClassOf(request);
  const allowed = policy.services.some(
    (rule) =>
      rule.service === service &&
      (rule.environments?.includes(request.environment) ?? true) &&
      (rule.data?.includes(data) ?? true),
  );
  return allowed
    ? []
    : [
        {
          verdict: 'denied',
          rule: 'services',
          text: `${service} is not allowed in ${request.environment} with ${data} data`,
        },
      ];
}

import type { IdentityRefused } from '../store/identity.js';

/** The policy rule that a denial by the register is named after. */
export const IDENTITY_RULE = 'identity';

const WORDS: Readonly<Record<string, (agent: string) => string>> = {
  AGENT_UNKNOWN: (agent) => `the agent ${agent} is not registered`,
  AGENT_SUSPENDED: (agent) => `the agent ${agent} is suspended`,
  AGENT_REMOVED: (agent) => `the agent ${agent} was removed`,
  OWNER_GONE: (agent) => `nobody answers for the agent ${agent}: it has no active owner`,
  DELEGATION_MISSING: (agent) =>
    `the person behind the principal has delegated nothing to ${agent}`,
  DELEGATION_REVOKED: (agent) => `what was delegated to ${agent} was revoked`,
  DELEGATION_EXPIRED: (agent) => `what was delegated to ${agent} has expired`,
  DELEGATION_STEPS: (agent) => `what was delegated to ${agent} does not cover these steps`,
  DELEGATION_CEILING: (agent) =>
    `what was delegated to ${agent} does not cover an amount this high in this currency`,
};

/** Why an agent may not act, in words. */
export const identityWords = ({ agent, reason }: IdentityRefused): string =>
  WORDS[reason]?.(agent) ?? `the agent ${agent} may not act: ${reason}`;

/** `DELEGATION_CEILING` as refusals name it: `delegation-ceiling`. */
export const identityReason = ({ reason }: IdentityRefused): string =>
  reason.toLowerCase().replaceAll('_', '-');

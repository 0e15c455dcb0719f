/**
 * The steps of a run, in order. A step is at most one effect: attaching the domain changes the world by
 * itself, so it is a step of its own beside the deploy. Names are append-only: histories and keys hold them.
 */
export const STEPS = [
  'create-customer',
  'link-account',
  'start-subscription',
  'register-domain',
  'configure-dns',
  'deploy-site',
  'attach-domain',
  'verify-site',
] as const;

export type StepName = (typeof STEPS)[number];
/** Steps that change the outside world; `verify-site` only reads. */
export type EffectStep = Exclude<StepName, 'verify-site'>;
export const EFFECT_STEPS = STEPS.filter((step): step is EffectStep => step !== 'verify-site');

/** After the pivot a run goes forward, not back: a registered name cannot be given back. */
export const PIVOT: StepName = 'register-domain';

export const TIERS = ['autonomous', 'approve', 'sign-off'] as const;
export type Tier = (typeof TIERS)[number];

export const PHASES = [
  'quoting',
  'awaiting-approval',
  'needs-input',
  'running',
  'unwinding',
  'held',
  'stuck',
] as const;
export const ENDS = ['completed', 'reversed', 'denied', 'rejected', 'expired'] as const;
export type Phase = (typeof PHASES)[number];
export type End = (typeof ENDS)[number];

export const ENVIRONMENTS = ['development', 'staging', 'production'] as const;
export type Environment = (typeof ENVIRONMENTS)[number];

export type ProviderName = 'stripe' | 'cloudflare';
export type ReversalKind = 'compensate' | 'mitigate' | 'none';

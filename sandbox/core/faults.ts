import { z } from 'zod';

/**
 * The faults a provider can be told to have. Names are part of the control surface: append
 * only.
 */
export const FAULT_KINDS = [
  'refuse',
  'act-then-drop',
  'act-then-500',
  'stored-500',
  'hang',
  '409',
  '429',
  'slow',
  'decline',
  'price-drift',
  'lag',
  'echo',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/**
 * One fault to arm. `path` is a glob: `*` is one segment, `**` any number; a query is not part
 * of it.
 */
export const faultRuleSchema = z.strictObject({
  provider: z.enum(['stripe', 'cloudflare']),
  method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', '*']),
  path: z.string().regex(/^\//, 'must start with /'),
  /**
   * The how-manieth matching request is the first to suffer, counted from when the rule was
   * armed.
   */
  nth: z.int().min(1).default(1),
  /** How many requests in a row suffer. */
  times: z.int().min(1).default(1),
  fault: z.enum(FAULT_KINDS),
  /** `slow` and `lag`: how long, in ms. */
  ms: z.int().min(0).max(86_400_000).optional(),
  /** `hang`: act first. */
  act: z.boolean().optional(),
  /** `price-drift`: what is added to the price, in cents. */
  byMinor: z.int().optional(),
  /** `act-then-500`: the 500 is what is stored under the idempotency key, and is replayed. */
  stored: z.boolean().optional(),
  /** `echo`: which refusal it is. */
  status: z.union([z.literal(400), z.literal(402), z.literal(500)]).optional(),
  /** `429`: the `stripe-should-retry` header. */
  shouldRetry: z.boolean().optional(),
});
export const faultRulesSchema = z.array(faultRuleSchema).max(1_000);

export type FaultRule = z.output<typeof faultRuleSchema>;
export type FaultRuleInput = z.input<typeof faultRuleSchema>;
/** A rule with how many matching requests it has seen. */
export interface ArmedFault extends FaultRule {
  seen: number;
}

/** Whether `path` fits the glob: `*` is one segment, `**` any number of them, also none. */
export function globMatches(glob: string, path: string): boolean {
  const source = glob
    .split('/')
    .map((segment) =>
      segment
        .split('**')
        .map((part) =>
          part
            .split('*')
            .map((text) => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
            .join('[^/]*'),
        )
        .join('.*'),
    )
    .join('/');
  // `/a/**` also fits `/a`: any number of segments includes none.
  return new RegExp(`^${source.replace(/\/\.\*$/, '(/.*)?')}$`).test(path);
}

/**
 * The faults armed in one world. Each rule counts its own matching requests from when it was
 * armed.
 */
export class FaultPlan {
  readonly #rules: ArmedFault[];

  /** Keeps its rules in `rules`, the array the world saves. */
  constructor(rules: ArmedFault[] = []) {
    this.#rules = rules;
  }

  /** Adds rules; an empty list clears the plan. */
  arm(rules: readonly FaultRule[]): void {
    if (rules.length === 0) this.clear();
    this.#rules.push(...rules.map((rule) => ({ ...rule, seen: 0 })));
  }

  clear(): void {
    this.#rules.length = 0;
  }

  /** What is armed, with how many requests each rule has seen. */
  list(): readonly ArmedFault[] {
    return this.#rules;
  }

  /** Counts one request with every rule it fits and answers the first rule that is due on it. */
  take(provider: FaultRule['provider'], method: string, path: string): FaultRule | undefined {
    let due: FaultRule | undefined;
    for (const rule of this.#rules) {
      if (rule.provider !== provider) continue;
      if (rule.method !== '*' && rule.method !== method) continue;
      if (!globMatches(rule.path, path)) continue;
      rule.seen += 1;
      if (rule.seen >= rule.nth && rule.seen < rule.nth + rule.times) due ??= rule;
    }
    return due;
  }
}

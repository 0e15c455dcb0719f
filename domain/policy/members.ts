import { z } from 'zod';
import { DATA_CLASSES } from '../data-class.js';
import { domainNameProblem } from '../domain-name.js';
import { durationToMs } from '../duration.js';
import { instantToMs } from '../instant.js';
import { amountProblem } from '../money.js';
import { EFFECT_STEPS, ENVIRONMENTS } from '../steps.js';
import { wordsProblem } from '../untrusted.js';

/** The small parts that a policy document is made of. Each says in words what to write instead. */

const spoken = (
  problem: (text: string) => string | undefined,
  { pattern, description }: { pattern?: string; description?: string } = {},
): z.ZodString =>
  z
    .string()
    .check((ctx) => {
      const message = problem(ctx.value);
      if (message !== undefined) ctx.issues.push({ code: 'custom', message, input: ctx.value });
    })
    .meta({
      ...(pattern === undefined ? {} : { pattern }),
      ...(description === undefined ? {} : { description }),
    });

const matching = (pattern: RegExp, remedy: string, description?: string): z.ZodString =>
  spoken((text) => (pattern.test(text) ? undefined : remedy), {
    pattern: pattern.source,
    ...(description === undefined ? {} : { description }),
  });

/** `60.00 USD`: read from the source text, never through a float. */
export const amount = spoken(amountProblem, {
  pattern: '^\\d{1,9}\\.\\d{2} [A-Z]{3}$',
  description: 'An amount with cents and currency: 60.00 USD',
});

export const duration = spoken(
  (text) =>
    durationToMs(text) === undefined
      ? 'write a whole number and s, m, h or d, like 24h'
      : undefined,
  { pattern: '^[1-9]\\d{0,5}(s|m|h|d)$', description: 'A whole number and s, m, h or d: 24h' },
);

/** A day, UTC. */
export const day = spoken(
  (text) =>
    /^\d{4}-\d{2}-\d{2}$/.test(text) && instantToMs(`${text}T00:00:00.000Z`) !== undefined
      ? undefined
      : 'write a day that exists, like 2027-05-31',
  { pattern: '^\\d{4}-\\d{2}-\\d{2}$', description: 'A day (UTC): 2027-05-31' },
);

export const word = matching(
  /^[A-Za-z][A-Za-z0-9_-]{0,62}$/,
  'write letters, digits, _ or -, beginning with a letter',
);
/** A short name in plain words. */
export const title = spoken((text) =>
  text.trim() === ''
    ? 'say in words what it is'
    : wordsProblem(text, { charactersMax: 80, linesMax: 1 }),
);
export const currency = matching(/^[A-Z]{3}$/, 'write an ISO 4217 code like USD');
export const person = matching(
  /^p_[a-z0-9][a-z0-9_-]{0,62}$/,
  'write the register id of a person, like p_ada',
);
export const priceId = matching(
  /^price_[A-Za-z0-9_]{1,120}$/,
  'write the id of a Stripe price, like price_1Pxyz',
);
export const httpsUrl = matching(/^https:\/\/[!-~]{1,1000}$/, 'write an https address');
export const digest = matching(
  /^sha256:[0-9a-f]{64}$/,
  'write sha256: and 64 lower-case hex digits',
);
export const suffix = matching(
  /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z]{2,63}$/,
  'write a TLD like club or co.uk, in lower case and without a dot before it',
);
export const domainName = spoken((text) =>
  text !== text.toLowerCase()
    ? 'write it in lower case'
    : domainNameProblem(text, [text]) === undefined
      ? undefined
      : 'write an exact domain name like superseal.club',
);

export const environment = z.enum(ENVIRONMENTS);
export const dataClass = z.enum(DATA_CLASSES);
export const stepOrAll = z.enum([...EFFECT_STEPS, '*']);
export const groups = z
  .array(z.strictObject({ group: word, count: z.int().min(1).max(20) }))
  .min(1)
  .max(10);

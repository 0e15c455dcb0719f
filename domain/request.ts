import { z } from 'zod';
import { canonicalize, checkSubset, digestOf } from './canonical.js';
import { DATA_CLASSES } from './data-class.js';
import { DNS_TYPES, dnsRecordProblem } from './dns-record.js';
import { domainNameProblem, foldAscii } from './domain-name.js';
import type { Digest } from './ids.js';
import { amountProblem } from './money.js';
import { requestFailure } from './request-errors.js';
import { ENVIRONMENTS } from './steps.js';
import { WORDS_CHARACTERS_MAX, wordsProblem } from './untrusted.js';

/** What an agent asks for. The same shape in YAML, JSON, on Temporal and in the database (docs/reference/request.schema.json). */

/** A canonical request is at most this many bytes. */
export const REQUEST_BYTES_MAX = 64 * 1024;

/** Text under a rule that answers in words what is wrong. */
const ruled = (
  problem: (text: string) => string | undefined,
  { pattern, description }: { pattern?: string; description: string },
): z.ZodString =>
  z
    .string()
    .check((ctx) => {
      const message = problem(ctx.value);
      if (message !== undefined)
        ctx.issues.push({ code: 'custom', message, input: ctx.value, params: { spoken: true } });
    })
    .meta({ description, ...(pattern === undefined ? {} : { pattern }) });

const matching = (
  pattern: RegExp,
  { remedy, description }: { remedy: string; description: string },
): z.ZodString =>
  ruled((text) => (pattern.test(text) ? undefined : remedy), {
    pattern: pattern.source,
    description,
  });

const PRINCIPAL =
  /^(pr_[a-z0-9][a-z0-9_-]{0,62}|[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,190}\.[A-Za-z]{2,63})$/;
const PLAN = /^[a-z][a-z0-9-]{0,40}$/;

/** Agents in a chain before the one that acts. */
const VIA_MAX = 8;

const agentId = matching(/^[a-z][a-z0-9_-]{0,62}$/, {
  remedy: 'write lower-case letters, digits, _ or -, like launch-agent',
  description: 'The acting identity; must be one the caller may speak for',
});
const mark = matching(/^[A-Za-z0-9][A-Za-z0-9._:+-]{0,63}$/, {
  remedy: 'write at most 64 letters, digits, . _ : + or -',
  description: 'The agent’s own mark: compared and shown, never believed',
});

const dnsSchema = z.strictObject({
  type: z.enum(DNS_TYPES),
  name: z.string().min(1).max(253).meta({ description: '@, a name like www, or the full name' }),
  content: z.string().min(1).max(500),
  ttl: z
    .union([z.literal(1), z.int().min(60).max(86_400)])
    .optional()
    .meta({ description: 'Seconds; 1 or absent: chosen by the provider' }),
});

const members = {
  goal: ruled((text) => (text.trim() === '' ? 'say in words what it is for' : wordsProblem(text)), {
    description: `The agent's own words, shown to the approver as untrusted text: at most ${WORDS_CHARACTERS_MAX} characters on 10 lines`,
  }),
  principal: matching(PRINCIPAL, {
    remedy: 'write an e-mail address or a register id that starts with pr_',
    description: 'On whose behalf and account the run acts: an e-mail address or a register id',
  }),
  agent: agentId,
  build: mark.optional().meta({ description: 'Which build of the agent asks' }),
  session: mark.optional().meta({ description: 'Which session of the agent asks' }),
  via: z
    .array(z.strictObject({ agent: agentId, build: mark.optional(), session: mark.optional() }))
    .min(1)
    .max(VIA_MAX)
    .optional()
    .meta({
      description:
        'The agents that this one acts for, outermost first: nobody who answers for one of them may approve',
    }),
  environment: z
    .enum(ENVIRONMENTS)
    .default('development')
    .meta({ description: 'How strictly the policy looks; production asks for sign-off' }),
  data: z.enum(DATA_CLASSES).optional().meta({
    description: 'What the product will hold; absent counts as restricted',
  }),
  subscription: z
    .strictObject({
      plan: matching(PLAN, {
        remedy: "write the name of a plan of the policy's list, like starter",
        description: "A plan of the policy's list: the agent names a plan, never an amount",
      }),
    })
    .optional(),
  hosting: z
    .strictObject({
      plan: z.enum(['free', 'workers-paid']).default('free'),
      account: matching(/^[0-9a-f]{32}$/, {
        remedy: 'write the 32 lower-case hex characters of the Cloudflare account id',
        description: 'An existing Cloudflare account to link, with its owner’s consent',
      }).optional(),
    })
    .default({ plan: 'free' }),
  domain: z.strictObject({
    // A listed internationalised name is told apart by the policy, which alone knows the list.
    name: z
      .string()
      .overwrite(foldAscii)
      .check((ctx) => {
        const message = domainNameProblem(ctx.value, [ctx.value]);
        if (message !== undefined)
          ctx.issues.push({ code: 'custom', message, input: ctx.value, params: { spoken: true } });
      })
      .meta({
        description: 'The exact ASCII name',
        pattern: '^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\\.)+[A-Za-z]{2,63}$',
        maxLength: 253,
      }),
    years: z.int().min(1).max(10).default(1),
  }),
  dns: z.array(dnsSchema).max(20).default([]),
  budget: ruled(amountProblem, {
    pattern: '^\\d{1,9}\\.\\d{2} [A-Z]{3}$',
    description: "This run's cap, with cents and currency: 60.00 USD",
  }),
};

const bundle = matching(/^sha256:[0-9a-f]{64}$/, {
  remedy: 'write sha256: and 64 lower-case hex digits',
  description: 'Digest of the manifest of a packed site',
});

/** Never of a file: `countersign teardown` writes it into the request of the run that it names. */
const tearsDown = matching(/^[a-z0-9][a-z0-9-]{0,62}$/, {
  remedy: 'write the id of a completed run, like launch-7',
  description: 'The completed run whose effects this one takes down',
}).optional();

/** The request everywhere but in a file: the site is named by its bundle's digest. */
export const requestSchema = z.strictObject({ ...members, bundle, tearsDown }).check((ctx) => {
  checkRecords(ctx.value, (path, message, input) => {
    ctx.issues.push({ code: 'custom', message, input, path, params: { spoken: true } });
  });
});
export type Request = z.infer<typeof requestSchema>;

/** The request as a file for the command line: either `site`, a folder to pack, or `bundle`. */
export const requestFileSchema = z
  .strictObject({
    ...members,
    site: z.string().min(1).max(1_000).optional().meta({
      description: 'Command line only: a folder with worker.mjs and public/, packed into a bundle',
    }),
    bundle: bundle.optional(),
  })
  .check((ctx) => {
    checkRecords(ctx.value, (path, message, input) => {
      ctx.issues.push({ code: 'custom', message, input, path, params: { spoken: true } });
    });
    if ((ctx.value.site === undefined) === (ctx.value.bundle === undefined))
      ctx.issues.push({
        code: 'custom',
        message:
          'name exactly one of them: a folder (site) or the digest of a packed site (bundle)',
        input: ctx.value.site,
        path: ['site'],
        params: { spoken: true },
      });
  });
export type RequestFile = z.infer<typeof requestFileSchema>;

function checkRecords(
  request: Pick<Request, 'domain' | 'dns'>,
  report: (path: (string | number)[], message: string, input: unknown) => void,
): void {
  const seen = new Set<string>();
  for (const [index, record] of request.dns.entries()) {
    const problem = dnsRecordProblem(record, request.domain.name);
    if (problem !== undefined)
      report(['dns', index, problem.member], problem.message, record[problem.member]);
    const identity = `${record.type} ${foldAscii(record.name)} ${record.content}`;
    if (seen.has(identity)) report(['dns', index], 'the same record is asked for twice', identity);
    seen.add(identity);
  }
}

/** Parses a request as services, the server and the gateway get it. @throws REQUEST_INVALID, naming member, fault and remedy */
export function parseRequest(value: unknown): Request {
  return parseWith(requestSchema, value);
}

/** Parses a request file of the command line (`site` or `bundle`). @throws REQUEST_INVALID */
export function parseRequestFile(value: unknown): RequestFile {
  return parseWith(requestFileSchema, value);
}

/** The request of a file whose site was packed into `bundleDigest`. @throws REQUEST_INVALID */
export function requestOfFile(file: RequestFile, bundleDigest: string): Request {
  const request: Partial<RequestFile> = { ...file, bundle: bundleDigest };
  delete request.site;
  return parseRequest(request);
}

function parseWith<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw requestFailure(parsed.error.issues, Object.keys(members), value);
  const request = withoutUndefined(parsed.data) as T;
  const problem = checkSubset(request);
  if (problem !== undefined) throw requestFailure([problem], [], value);
  return request;
}

/** An absent member is absent: callers in TypeScript may well have written `bundle: undefined`. */
function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .map(([name, member]) => [name, withoutUndefined(member)]),
  );
}

/** The canonical form of a parsed request: defaults written out, ASCII case of the domain folded. */
export function canonicalRequest(request: Request): string {
  return canonicalize(request);
}

/** Names the request for ever: same run id and same digest is the same run. */
export function requestDigestOf(request: Request): Digest {
  return digestOf(request);
}

/** The agents that a request came through, outermost first; the one that acts is the last. */
export interface ChainMember {
  readonly agent: string;
  readonly build?: string;
  readonly session?: string;
}
export function chainOf({ agent, build, session, via = [] }: Request): ChainMember[] {
  const named = [...via, { agent, build, session }];
  return named.map((one) => ({
    agent: one.agent,
    ...(one.build === undefined ? {} : { build: one.build }),
    ...(one.session === undefined ? {} : { session: one.session }),
  }));
}

/** JSON Schema (2020-12) of a request file, for editors. */
export function requestJsonSchema(): Record<string, unknown> {
  return {
    ...z.toJSONSchema(requestFileSchema, { io: 'input' }),
    title: 'A Countersign request',
    oneOf: [{ required: ['site'] }, { required: ['bundle'] }],
  };
}

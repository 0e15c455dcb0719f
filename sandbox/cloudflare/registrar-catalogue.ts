import { z } from 'zod';
import type { Call, Endpoint } from './call.js';
import { endpoint, jsonBody, param } from './call.js';
import type { Extension } from './extensions.js';
import { availability, domainName, EXTENSIONS } from './extensions.js';
import type { Reply } from './reply.js';
import { cursorPage, decimal, ok, Refusal } from './reply.js';

const CHECK_LIMIT = 20;

const checkSchema = z.object({ domains: z.array(z.string(), 'domains is required') });

/** One name's live answer. Prices are strings, and only told for what has one. */
function viewAvailability(call: Call, name: string) {
  const { registrable, tier, price, reason } = availability(call.state, name);
  return {
    name,
    registrable,
    tier,
    ...(price === null
      ? {}
      : {
          pricing: {
            currency: 'USD',
            registration_cost: decimal(price.registrationMinor + call.driftMinor),
            renewal_cost: decimal(price.renewalMinor),
          },
        }),
    ...(reason === null ? {} : { reason }),
  };
}

/** A read, though a POST. Malformed names are left out of the answer without a word. */
async function check(call: Call): Promise<Reply> {
  const { domains } = await jsonBody(call, checkSchema, 1006);
  if (domains.length === 0) throw new Refusal(400, 1006, 'domains must not be empty');
  if (domains.length > CHECK_LIMIT) {
    throw new Refusal(400, 1007, `domains must not hold more than ${CHECK_LIMIT} names`);
  }
  const names = domains.map(domainName).filter((name) => name !== null);
  if (names.length === 0) throw new Refusal(400, 1008, 'No valid domain names');
  return ok({ domains: names.map((name) => viewAvailability(call, name)) });
}

/** Suggestions: the words of the question under each extension. Advisory, as with the real one. */
function search(call: Call): Reply {
  const words = call.query.get('q') ?? '';
  const label =
    words
      .toLowerCase()
      .split('.')[0]
      ?.replace(/[^a-z0-9-]/g, '') ?? '';
  if (label === '') throw new Refusal(400, 10000, 'q is required', { pointer: '/q' });
  const asked = call.query.getAll('extensions').flatMap((text) => text.split(','));
  const limit = Math.min(Number(call.query.get('limit') ?? 20) || 20, 50);
  const names = EXTENSIONS.filter(({ tld }) => asked.length === 0 || asked.includes(tld))
    .map(({ tld }) => `${label}.${tld}`)
    .slice(0, limit);
  return ok({ domains: names.map((name) => viewAvailability(call, name)) });
}

const viewExtension = (extension: Extension) => ({
  metadata: { name: extension.tld, tld: extension.tld },
  registration_schema: {
    type: 'object',
    required: ['domain_name'],
    properties: {
      domain_name: { type: 'string' },
      years: { type: 'integer', minimum: extension.minYears, maximum: 10 },
      auto_renew: { type: 'boolean', default: false },
    },
  },
  transfer_schema: { type: 'object', required: ['domain_name', 'auth_code'] },
});

function getExtension(call: Call): Reply {
  const asked = param(call, 'extension').replace(/^\./, '');
  const found = EXTENSIONS.find(({ tld }) => tld === asked);
  if (found === undefined) throw new Refusal(404, 10000, 'Extension not found');
  return ok(viewExtension(found));
}

const READ = { account: 'Registrar Domains Read' } as const;
const BASE = '/accounts/:account_id/registrar';

export const registrarCatalogue: readonly Endpoint[] = [
  endpoint('POST', `${BASE}/domain-check`, READ, check),
  endpoint('GET', `${BASE}/domain-search`, READ, search),
  endpoint('GET', `${BASE}/extensions`, READ, (call) =>
    cursorPage(EXTENSIONS.map(viewExtension), call.query),
  ),
  endpoint('GET', `${BASE}/extensions/:extension`, READ, getExtension),
];

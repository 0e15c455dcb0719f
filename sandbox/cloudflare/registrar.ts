import { z } from 'zod';
import type { Call, Endpoint } from './call.js';
import { accountOf, endpoint, jsonBody, param, pause, visible } from './call.js';
import { choice } from './choices.js';
import { availability, costOf, domainName, extensionOf } from './extensions.js';
import type { Reply } from './reply.js';
import { cursorPage, ok, Refusal, timestamp } from './reply.js';
import type { AccountRecord, RegistrationRecord, RegistrationWorkflow } from './state.js';
import { registrarCatalogue } from './registrar-catalogue.js';
import { phaseAt, settle, startWorkflow, workflowKey } from './workflows.js';

const contact = z.object({
  email: z.email(),
  phone: z.string().regex(/^\+\d{1,3}\.\d{4,14}$/),
  postal_info: z.object({
    name: z.string().min(1),
    organization: z.string().optional(),
    address: z.object({
      street: z.string(),
      city: z.string(),
      state: z.string(),
      postal_code: z.string(),
      country_code: z.string().length(2),
    }),
  }),
});
const registerSchema = z.object({
  domain_name: z.string('domain_name is required').min(1, 'domain_name is required'),
  years: z.int().min(1).max(10).optional(),
  auto_renew: z.boolean('Must be a boolean').default(false),
  privacy_mode: z.enum(['off', 'redaction']).default('redaction'),
  contacts: z.object({ registrant: contact.optional() }).optional(),
});

const domainPath = (domain: string, accountId: string): string =>
  `/accounts/${accountId}/registrar/registrations/${domain}`;

/** `links` are relative and lack the API's base path, as in the documentation's examples. */
export function viewWorkflow(workflow: RegistrationWorkflow, now: number) {
  const phase = phaseAt(workflow, now);
  const resource = domainPath(workflow.domain, workflow.accountId);
  const succeeded = phase.state === 'succeeded';
  const context = succeeded
    ? { registration: registrationFields(workflow, phase.at) }
    : (phase.context ?? { domain_name: workflow.domain });
  return {
    state: phase.state,
    completed: succeeded || phase.state === 'failed',
    created_at: timestamp(workflow.createdAt),
    updated_at: timestamp(phase.at),
    links: { self: `${resource}/registration-status`, ...(succeeded ? { resource } : {}) },
    context,
    error: phase.error ?? null,
  };
}

function registrationFields(workflow: RegistrationWorkflow, at: number) {
  const expires = new Date(at);
  expires.setUTCFullYear(expires.getUTCFullYear() + workflow.years);
  return {
    domain_name: workflow.domain,
    status: 'active',
    auto_renew: workflow.autoRenew,
    locked: true,
    privacy_mode: workflow.privacyMode,
    created_at: timestamp(at),
    expires_at: timestamp(expires.getTime()),
  };
}

const viewRegistration = (registration: RegistrationRecord, now: number) => ({
  domain_name: registration.domain,
  status: now >= registration.expiresAt ? 'expired' : 'active',
  auto_renew: registration.autoRenew,
  locked: true,
  privacy_mode: registration.privacyMode,
  created_at: timestamp(registration.createdAt),
  expires_at: timestamp(registration.expiresAt),
});

const refused = (message: string, pointer: string): Refusal =>
  new Refusal(400, 10000, message, { pointer });

/** Billable. The name itself is the key: there is never more than one registration of it. */
async function register(call: Call): Promise<Reply> {
  const body = await jsonBody(call, registerSchema, 10000);
  const domain = domainName(body.domain_name);
  if (domain === null) throw refused('Invalid domain name', '/domain_name');
  const account = accountOf(call);
  const known = call.state.workflows[workflowKey(account.id, domain)];
  if (known !== undefined && phaseAt(known, call.now()).state !== 'failed') {
    if (choice(call.state, 'registrar.duplicate') === 'conflict-409') {
      throw new Refusal(409, 10000, `A registration of ${domain} exists already`);
    }
    return answered(call, known);
  }
  refuseEarly(call, account, domain);
  const { price, reason } = availability(call.state, domain);
  const years = body.years ?? extensionOf(domain)?.minYears ?? 1;
  if (years < (extensionOf(domain)?.minYears ?? 1)) {
    throw refused(`The minimum term of this extension is longer than ${years}`, '/years');
  }
  const failure = hindrance(account, body.contacts?.registrant !== undefined, reason, call);
  if (failure !== null && choice(call.state, 'registrar.refusal') === 'refuse-400') {
    throw refused(failure.message, '/domain_name');
  }
  const workflow = startWorkflow(call.state, {
    domain,
    accountId: account.id,
    years,
    autoRenew: body.auto_renew,
    privacyMode: body.privacy_mode,
    priceMinor: (price === null ? 0 : costOf(price, years)) + call.driftMinor,
    at: call.now(),
    visibleAt: call.visibleAt,
    failure,
  });
  return answered(call, workflow);
}

/** What the real service says before it starts anything. */
function refuseEarly(call: Call, account: AccountRecord, domain: string): void {
  const { state } = call;
  const { reason } = availability(state, domain);
  if (reason?.startsWith('extension') === true) {
    throw refused('Registration is not supported for this extension', '/domain_name');
  }
  if (reason === 'domain_premium') {
    throw refused('Premium domains are not supported', '/domain_name');
  }
  const owned = Object.values(state.registrations).filter((r) => r.accountId === account.id);
  const limit = choice(state, 'registrar.limit');
  if (owned.length >= limit) {
    const message = `Domain limit reached: you cannot register more than ${limit} domains.`;
    throw refused(message, '/domain_name');
  }
  const now = call.now();
  const wanted = choice(state, 'registrar.outcome') === 'fraud-block';
  if (wanted) account.fraudBlockedUntil ??= now + choice(state, 'registrar.fraud-block-ms');
  if (account.fraudBlockedUntil !== null && now < account.fraudBlockedUntil) {
    throw refused('Registration temporarily blocked. Please wait a few minutes', '/domain_name');
  }
}

/** Why a registration that was asked for in good form can't succeed, or null. */
function hindrance(
  account: AccountRecord,
  contacts: boolean,
  reason: string | null,
  call: Call,
): { code: string; message: string } | null {
  if (reason === 'domain_unavailable') {
    return { code: 'domain_unavailable', message: 'The domain is not available.' };
  }
  if (account.agreementAcceptedAt === null) {
    const message = 'The Domain Registration Agreement has not been accepted for this account.';
    return { code: 'agreement_not_accepted', message };
  }
  if (!contacts && !account.addressBook) {
    const message =
      'No registrant contact provided and no default address book entry found for this account.';
    return { code: 'registrant_contact_missing', message };
  }
  if (!account.paymentMethods.some((method) => method.default)) {
    const message = 'The account has no billing profile with a default payment method.';
    return { code: 'payment_method_missing', message };
  }
  return call.declined
    ? { code: 'payment_declined', message: 'The payment method was declined.' }
    : null;
}

/** 201 if it ends within the wait window, else 202; `Prefer: respond-async` does not wait. */
async function answered(call: Call, workflow: RegistrationWorkflow): Promise<Reply> {
  const async = call.header('prefer')?.includes('respond-async') === true;
  const until = call.now() + choice(call.state, 'registrar.window-ms');
  const done = (): boolean => viewWorkflow(workflow, call.now()).completed;
  while (!async && !done() && call.now() < until) await pause(10);
  settle(call.state, call.now());
  return ok(viewWorkflow(workflow, call.now()), done() && !async ? 201 : 202);
}

function workflowOf(call: Call): RegistrationWorkflow | undefined {
  const domain = domainName(param(call, 'domain_name')) ?? '';
  const workflow = call.state.workflows[workflowKey(param(call, 'account_id'), domain)];
  return workflow !== undefined && visible(call, workflow) ? workflow : undefined;
}

function status(call: Call): Reply {
  const workflow = workflowOf(call);
  if (workflow === undefined || call.now() < workflow.statusVisibleAt) {
    throw new Refusal(404, 10000, `No workflow found for ${param(call, 'domain_name')}`);
  }
  return ok(viewWorkflow(workflow, call.now()));
}

function registrationOf(call: Call): RegistrationRecord {
  const domain = domainName(param(call, 'domain_name'));
  if (domain === null) throw refused('Invalid domain name', '/domain_name');
  const found = call.state.registrations[domain];
  if (found?.accountId !== param(call, 'account_id') || !visible(call, found)) {
    throw new Refusal(404, 10000, 'Domain not found');
  }
  return found;
}

function getRegistration(call: Call): Reply {
  const workflow = workflowOf(call);
  const pending = workflow !== undefined && !viewWorkflow(workflow, call.now()).completed;
  if (pending && choice(call.state, 'registrar.pending-visible') === 'yes') {
    const fields = registrationFields(workflow, workflow.createdAt);
    return ok({ ...fields, status: 'registration_pending', expires_at: null });
  }
  return ok(viewRegistration(registrationOf(call), call.now()));
}

function listRegistrations(call: Call): Reply {
  const mine = Object.values(call.state.registrations).filter(
    (item) => item.accountId === param(call, 'account_id') && visible(call, item),
  );
  const sortBy = call.query.get('sort_by') ?? 'registry_created_at';
  mine.sort((a, b) => {
    if (sortBy === 'name') return a.domain.localeCompare(b.domain);
    return sortBy === 'registry_expires_at' ? a.expiresAt - b.expiresAt : a.createdAt - b.createdAt;
  });
  if (call.query.get('direction') === 'desc') mine.reverse();
  return cursorPage(
    mine.map((item) => viewRegistration(item, call.now())),
    call.query,
  );
}

const editSchema = z.object({ auto_renew: z.boolean('Must be a boolean') });

/** Changes auto-renewal, and nothing else can be changed here. */
async function editRegistration(call: Call): Promise<Reply> {
  const body = await jsonBody(call, editSchema, 10000);
  const { domain, accountId } = registrationOf(call);
  const createdAt = call.now();
  const doneAt = createdAt + choice(call.state, 'registrar.update-ms');
  const update = {
    domain,
    accountId,
    createdAt,
    doneAt,
    autoRenew: body.auto_renew,
    applied: false,
  };
  call.state.updates[domain] = update;
  const async = call.header('prefer')?.includes('respond-async') === true;
  const until = createdAt + choice(call.state, 'registrar.window-ms');
  while (!async && call.now() < doneAt && call.now() < until) await pause(10);
  settle(call.state, call.now());
  return ok(viewUpdate(call, domain), update.applied && !async ? 200 : 202);
}

function viewUpdate(call: Call, domain: string) {
  const update = call.state.updates[domain];
  if (update === undefined) throw new Refusal(404, 10000, `No workflow found for ${domain}`);
  const resource = domainPath(domain, update.accountId);
  return {
    state: update.applied ? 'succeeded' : 'in_progress',
    completed: update.applied,
    created_at: timestamp(update.createdAt),
    updated_at: timestamp(update.applied ? update.doneAt : update.createdAt),
    links: { self: `${resource}/update-status`, resource },
    context: { domain_name: domain },
    error: null,
  };
}

const READ = { account: 'Registrar Domains Read' } as const;
const WRITE = { account: 'Registrar Domains Write' } as const;
const BASE = '/accounts/:account_id/registrar';

export const registrarEndpoints: readonly Endpoint[] = [
  ...registrarCatalogue,
  endpoint('POST', `${BASE}/registrations`, WRITE, register),
  endpoint('GET', `${BASE}/registrations`, READ, listRegistrations),
  endpoint('GET', `${BASE}/registrations/:domain_name`, READ, getRegistration),
  endpoint('PATCH', `${BASE}/registrations/:domain_name`, WRITE, editRegistration),
  endpoint('GET', `${BASE}/registrations/:domain_name/registration-status`, READ, status),
  endpoint('GET', `${BASE}/registrations/:domain_name/update-status`, READ, (call) =>
    ok(viewUpdate(call, registrationOf(call).domain)),
  ),
];

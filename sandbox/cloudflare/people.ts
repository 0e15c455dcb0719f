import { z } from 'zod';
import type { PersonAction } from '../core/provider.js';
import { BadMember } from '../core/provider.js';
import type { World } from '../core/world.js';
import { addMember, makeAccount, visa } from './accounts.js';
import { setChoice } from './choices.js';
import { recordSchema, checkedContent, fullName } from './dns-rules.js';
import { domainName } from './extensions.js';
import { hexId } from './reply.js';
import type { AccountRecord, CloudflareState, RegistrationRecord, ZoneRecord } from './state.js';
import { cloudflareState } from './state.js';
import { confirmAction, phaseAt, settle } from './workflows.js';

const GRACE_MS = 5 * 86_400_000;
const OWNER_ROLE = 'Super Administrator - All Privileges';

/** What an action does, with its body checked and the world brought up to date. */
const action =
  <S extends z.ZodType>(
    schema: S,
    act: (state: CloudflareState, body: z.output<S>, world: World) => unknown,
  ): PersonAction =>
  (world, body) => {
    const rest = Object.fromEntries(
      Object.entries(body).filter(([name]) => name !== 'do' && name !== 'provider'),
    );
    const parsed = schema.safeParse(rest);
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      const keys = issue?.code === 'unrecognized_keys' ? issue.keys : issue?.path;
      throw new BadMember((keys ?? []).map(String).join('.'), issue?.message ?? 'invalid');
    }
    const state = cloudflareState(world);
    settle(state, world.now());
    return act(state, parsed.data, world);
  };

function accountBy(state: CloudflareState, id: string): AccountRecord {
  const account = Object.hasOwn(state.accounts, id) ? state.accounts[id] : undefined;
  if (account === undefined) throw new BadMember('account', `there is no account ${id}`);
  return account;
}

function domainBy(text: string): string {
  const name = domainName(text);
  if (name === null) throw new BadMember('domain', `${text} is no domain name`);
  return name;
}

function zoneBy(state: CloudflareState, idOrName: string): ZoneRecord {
  const zone = Object.values(state.zones).find(
    ({ id, name }) => id === idOrName || name === idOrName,
  );
  if (zone === undefined) throw new BadMember('zone', `there is no zone ${idOrName}`);
  return zone;
}

const person = { email: z.email(), name: z.string().min(1) };

/** An account that a person has at Cloudflare, unseen by our credentials until that person consents. */
function existingAccount(
  state: CloudflareState,
  owner: { email: string; name: string },
  at: number,
) {
  const { name, email } = owner;
  const account = makeAccount(state, {
    name,
    tenant: false,
    linked: false,
    owner: email,
    at,
    visibleAt: at,
  });
  const role = { status: 'accepted' as const, roles: [OWNER_ROLE], visibleAt: at };
  addMember(state, { accountId: account.id, email, ...role });
  return account;
}

const consentSchema = z.union([
  z.strictObject({ account: z.string() }),
  z.strictObject({ ...person, account: z.undefined().optional() }),
]);

const accounts: Record<string, PersonAction> = {
  'existing-account': action(z.strictObject(person), (state, body, world) => ({
    account: existingAccount(state, body, world.now()).id,
  })),
  consent: action(consentSchema, (state, body, world) => {
    const account =
      body.account === undefined
        ? (Object.values(state.accounts).find(({ owner }) => owner === body.email) ??
          existingAccount(state, body, world.now()))
        : accountBy(state, body.account);
    account.linked = true;
    return { account: account.id };
  }),
  'revoke-consent': action(z.strictObject({ account: z.string() }), (state, body) => {
    accountBy(state, body.account).linked = false;
    return { account: body.account };
  }),
  'accept-invitation': action(
    z.strictObject({ account: z.string(), email: z.email() }),
    (state, body) => {
      const member = Object.values(state.members).find(
        ({ accountId, email }) => accountId === body.account && email === body.email,
      );
      if (member === undefined) throw new BadMember('email', `${body.email} was not invited`);
      member.status = 'accepted';
      return { member: member.id };
    },
  ),
};

const billing: Record<string, PersonAction> = {
  'add-billing': action(z.strictObject({ account: z.string() }), (state, body) => {
    const account = accountBy(state, body.account);
    if (account.paymentMethods.length === 0) account.paymentMethods.push(visa());
    account.addressBook = true;
    return { paymentMethods: account.paymentMethods.length };
  }),
  'remove-billing': action(z.strictObject({ account: z.string() }), (state, body) => {
    const account = accountBy(state, body.account);
    account.paymentMethods = [];
    account.addressBook = false;
    return { paymentMethods: 0 };
  }),
  'accept-agreement': action(z.strictObject({ account: z.string() }), (state, body, world) => {
    const account = accountBy(state, body.account);
    account.agreementAcceptedAt ??= world.now();
    return { acceptedAt: account.agreementAcceptedAt };
  }),
};

const priceSchema = z
  .strictObject({
    tld: z.string().optional(),
    domain: z.string().optional(),
    registrationMinor: z.int().min(0),
    renewalMinor: z.int().min(0).optional(),
  })
  .refine((body) => (body.tld === undefined) !== (body.domain === undefined), {
    path: ['tld'],
    message: 'name either a tld or a domain',
  });

/** Within five days, at support's discretion: the name goes back and so does the money. */
function supportRefund(state: CloudflareState, registration: RegistrationRecord, now: number) {
  const { domain, createdAt, chargeId, accountId } = registration;
  if (now - createdAt > GRACE_MS) {
    throw new BadMember('domain', `the five days of ${domain} are over: support refuses`);
  }
  const charge = state.charges.find(({ id }) => id === chargeId);
  if (charge !== undefined) charge.refundedMinor = charge.amountMinor;
  Reflect.deleteProperty(state.registrations, domain);
  Reflect.deleteProperty(state.workflows, `${accountId}/${domain}`);
  for (const zone of Object.values(state.zones)) {
    if (zone.name === domain) zone.activeAt = null;
  }
  return { refundedMinor: charge?.amountMinor ?? 0 };
}

const names: Record<string, PersonAction> = {
  'set-domain-price': action(priceSchema, (state, body) => {
    const key = body.domain === undefined ? (body.tld ?? '') : domainBy(body.domain);
    const { registrationMinor, renewalMinor = registrationMinor } = body;
    state.prices[key.replace(/^\./, '')] = { registrationMinor, renewalMinor };
    return { [key]: { registrationMinor, renewalMinor } };
  }),
  'take-domain': action(z.strictObject({ domain: z.string() }), (state, body) => {
    const name = domainBy(body.domain);
    if (Object.hasOwn(state.registrations, name)) {
      throw new BadMember('domain', `${name} is registered here already`);
    }
    if (!state.taken.includes(name)) state.taken.push(name);
    return { taken: name };
  }),
  'confirm-registrant-email': action(
    z.strictObject({ domain: z.string() }),
    (state, body, world) => {
      const name = domainBy(body.domain);
      const workflow = Object.values(state.workflows).find(({ domain }) => domain === name);
      if (workflow === undefined || phaseAt(workflow, world.now()).state !== 'action_required') {
        throw new BadMember('domain', `nothing of ${name} waits for a person`);
      }
      confirmAction(state, workflow, world.now());
      return { confirmed: name };
    },
  ),
  'support-refund': action(z.strictObject({ domain: z.string() }), (state, body, world) => {
    const registration = state.registrations[domainBy(body.domain)];
    if (registration === undefined) {
      throw new BadMember('domain', `${body.domain} is not registered`);
    }
    return supportRefund(state, registration, world.now());
  }),
};

const zones: Record<string, PersonAction> = {
  'activate-zone': action(z.strictObject({ zone: z.string() }), (state, body, world) => {
    const zone = zoneBy(state, body.zone);
    zone.activeAt ??= world.now();
    return { zone: zone.id };
  }),
  'foreign-record': action(
    z.strictObject({ zone: z.string(), record: recordSchema }),
    (state, body, world) => {
      const zone = zoneBy(state, body.zone);
      const { type, ttl, proxied, priority, data, comment, tags } = body.record;
      const id = hexId();
      state.records[id] = {
        id,
        zoneId: zone.id,
        type,
        name: fullName(body.record.name, zone),
        content: checkedContent(body.record),
        ttl,
        proxied,
        priority: priority ?? null,
        data: data ?? null,
        comment: comment ?? null,
        tags: tags ?? [],
        createdAt: world.now(),
        modifiedAt: world.now(),
        managedBy: null,
        foreign: true,
        visibleAt: world.now(),
      };
      return { record: id };
    },
  ),
};

const choiceSchema = z.strictObject({
  name: z.string(),
  value: z.union([z.string(), z.number()]),
});

/** What people do at Cloudflare, by the word that the control port takes as `do`. */
export const people: Readonly<Record<string, PersonAction>> = {
  ...accounts,
  ...billing,
  ...names,
  ...zones,
  'set-choice': action(choiceSchema, (state, { name, value }) => {
    const wrong = setChoice(state, name, value);
    if (wrong !== null) throw new BadMember('name', wrong);
    return { [name]: value };
  }),
};

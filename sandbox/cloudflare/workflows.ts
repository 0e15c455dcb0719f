import { choice } from './choices.js';
import { renewalMinor } from './extensions.js';
import { hexId } from './reply.js';
import type {
  CloudflareState,
  RegistrationRecord,
  RegistrationWorkflow,
  WorkflowPhase,
} from './state.js';

/** A registration as it begins; phases and ids are laid down at once, so that time alone moves it. */
export interface Start {
  readonly domain: string;
  readonly accountId: string;
  readonly years: number;
  readonly autoRenew: boolean;
  readonly privacyMode: 'off' | 'redaction';
  readonly priceMinor: number;
  readonly at: number;
  readonly visibleAt: number;
  /** Why it will fail, if it will. */
  readonly failure: { code: string; message: string } | null;
}

/** An account's latest attempt at a name: another account's attempt is another workflow. */
export const workflowKey = (accountId: string, domain: string): string => `${accountId}/${domain}`;

/** Lays down a workflow by the world's choices. */
export function startWorkflow(state: CloudflareState, start: Start): RegistrationWorkflow {
  const { domain, at } = start;
  const outcome = choice(state, 'registrar.outcome');
  const begun = at + choice(state, 'registrar.pending-ms');
  const end = Math.max(begun, at + choice(state, 'registrar.duration-ms'));
  const phases: WorkflowPhase[] = [
    { state: 'pending', at, context: { domain_name: domain } },
    { state: 'in_progress', at: begun, context: { domain_name: domain } },
    ...lastPhases(state, start, outcome, end),
  ];
  const captured = start.failure === null && outcome === 'fail-captured';
  const workflow: RegistrationWorkflow = {
    domain,
    accountId: start.accountId,
    createdAt: at,
    statusVisibleAt: at + choice(state, 'registrar.status-lag-ms'),
    phases,
    years: start.years,
    autoRenew: start.autoRenew,
    privacyMode: start.privacyMode,
    priceMinor: start.priceMinor,
    chargeId: hexId(),
    zoneId: hexId(),
    zoneDelayMs: choice(state, 'registrar.zone-delay-ms'),
    activationMs: choice(state, 'zones.activation-ms'),
    applied: false,
    voidAt: captured ? end + choice(state, 'registrar.void-after-ms') : null,
    visibleAt: start.visibleAt,
  };
  state.workflows[workflowKey(start.accountId, domain)] = workflow;
  return workflow;
}

function lastPhases(
  state: CloudflareState,
  { domain, failure }: Start,
  outcome: string,
  end: number,
): WorkflowPhase[] {
  const success: WorkflowPhase = { state: 'succeeded', at: end };
  if (failure !== null) return [{ state: 'failed', at: end, error: failure }];
  switch (outcome) {
    case 'fail':
      return [{ state: 'failed', at: end, error: rejected('registry_rejected') }];
    case 'fail-captured':
      return [{ state: 'failed', at: end, error: rejected('registration_failed') }];
    case 'action-required': {
      const context = {
        action: 'registrant_email_confirmation_pending',
        confirmation_sent_to: 'a***@example.com',
        domain_name: domain,
      };
      return [{ state: 'action_required', at: end, context }];
    }
    case 'blocked': {
      const detail = 'Awaiting registry confirmation. This may take up to 24 hours.';
      const context = { blocked_by: 'registry', detail, domain_name: domain };
      const until = end + choice(state, 'registrar.blocked-ms');
      return [
        { state: 'blocked', at: end, context },
        { ...success, at: until },
      ];
    }
    default:
      return [success];
  }
}

const rejected = (code: string) => ({ code, message: 'The registration could not be completed.' });

/** The person confirms what an `action_required` workflow waits for. */
export function confirmAction(
  state: CloudflareState,
  workflow: RegistrationWorkflow,
  at: number,
): void {
  const context = { domain_name: workflow.domain };
  const end = at + choice(state, 'registrar.duration-ms');
  workflow.phases.push({ state: 'in_progress', at, context }, { state: 'succeeded', at: end });
}

/** Where the workflow stands at `now`. */
export function phaseAt(workflow: RegistrationWorkflow, now: number): WorkflowPhase {
  const reached = workflow.phases.filter((phase) => phase.at <= now).at(-1);
  const phase = reached ?? workflow.phases[0];
  if (phase === undefined) throw new Error(`workflow of ${workflow.domain} has no phase`);
  return phase;
}

/** Lets everything happen whose time has come: registrations, charges, zones, refunds, renewals. */
export function settle(state: CloudflareState, now: number): void {
  for (const workflow of Object.values(state.workflows)) {
    const phase = phaseAt(workflow, now);
    if (!workflow.applied && phase.state === 'succeeded') succeed(state, workflow, phase.at);
    if (!workflow.applied && phase.state === 'failed') {
      workflow.applied = true;
      if (workflow.voidAt !== null) charge(state, workflow, phase.at);
    }
  }
  for (const captured of state.charges) {
    if (captured.voidAt === null || now < captured.voidAt) continue;
    captured.refundedMinor = captured.amountMinor;
    captured.voidAt = null;
  }
  for (const update of Object.values(state.updates)) {
    const registration = state.registrations[update.domain];
    if (update.applied || now < update.doneAt || registration === undefined) continue;
    update.applied = true;
    registration.autoRenew = update.autoRenew;
  }
  for (const registration of Object.values(state.registrations)) renew(state, registration, now);
}

/**
 * A name whose renewal is on goes on from year to year, while there is a card to pay for it. Ours: it is
 * charged when it expires, where the real service may charge up to thirty days before.
 */
function renew(state: CloudflareState, registration: RegistrationRecord, now: number): void {
  const { domain, accountId } = registration;
  while (registration.autoRenew && now >= registration.expiresAt) {
    if (!state.accounts[accountId]?.paymentMethods.some((method) => method.default)) return;
    const at = registration.expiresAt;
    state.charges.push({
      id: hexId(),
      object: domain,
      accountId,
      amountMinor: renewalMinor(state, domain),
      currency: 'USD',
      refundedMinor: 0,
      at,
      voidAt: null,
      what: 'renewal',
    });
    registration.expiresAt = yearsAfter(at, 1);
  }
}

function yearsAfter(at: number, years: number): number {
  const date = new Date(at);
  date.setUTCFullYear(date.getUTCFullYear() + years);
  return date.getTime();
}

function succeed(state: CloudflareState, workflow: RegistrationWorkflow, at: number): void {
  workflow.applied = true;
  const { domain, accountId, visibleAt } = workflow;
  charge(state, workflow, at);
  state.registrations[domain] = {
    domain,
    accountId,
    createdAt: at,
    expiresAt: yearsAfter(at, workflow.years),
    autoRenew: workflow.autoRenew,
    privacyMode: workflow.privacyMode,
    chargeId: workflow.chargeId,
    visibleAt,
  };
  const zones = Object.values(state.zones);
  const zone = zones.find((known) => known.name === domain);
  const zoneAt = at + workflow.zoneDelayMs;
  if (zone !== undefined) {
    // The zone was there before the name: now its name servers are ours.
    zone.activeAt ??= zoneAt + workflow.activationMs;
    return;
  }
  state.zones[workflow.zoneId] = {
    id: workflow.zoneId,
    accountId,
    name: domain,
    createdAt: zoneAt,
    activeAt: zoneAt + workflow.activationMs,
    fromRegistrar: true,
    visibleAt: Math.max(zoneAt, visibleAt),
  };
}

function charge(state: CloudflareState, workflow: RegistrationWorkflow, at: number): void {
  state.charges.push({
    id: workflow.chargeId,
    object: workflow.domain,
    accountId: workflow.accountId,
    amountMinor: workflow.priceMinor,
    currency: 'USD',
    refundedMinor: 0,
    at,
    voidAt: workflow.voidAt,
    what: 'registration',
  });
}

import type { ColumnType, Generated, GeneratedAlways, Selectable } from 'kysely';
import type { Environment, Tier } from '../domain/steps.js';
import type {
  AccountsTable,
  AgentOwnersTable,
  AgentsTable,
  DelegationsTable,
  PrincipalsTable,
  RegisterChangesTable,
  RunAgentsTable,
  ServiceKeysTable,
} from './schema-identity.js';
import type {
  AllowancesTable,
  BalancesTable,
  CommitmentsTable,
  PostingsTable,
  RenewalsTable,
  ReservationsTable,
} from './schema-money.js';
import type { HttpAnswersTable, SessionsTable, WebhookEventsTable } from './schema-http.js';
import type { CasesTable } from './schema-cases.js';
import type {
  FindingsTable,
  ReconcileAreasTable,
  ReconcilePassesTable,
} from './schema-reconcile.js';
import type { DisputesTable, FailedRefundsTable } from './schema-money-back.js';
import type { AnomaliesTable } from './schema-anomalies.js';
import type { CredentialStatesTable, ProviderTokensTable } from './schema-tokens.js';

import type {
  DecisionsTable,
  KeyApprovalsTable,
  KeyEnrolmentsTable,
  KeyRevocationsTable,
  LiftWordsTable,
  RootPinsTable,
  KeysTable,
} from './schema-keys.js';
import type {
  BreakGlassesTable,
  DeliveriesTable,
  NoticeQueueTable,
  NoticesTable,
} from './schema-notices.js';

import type { SubscriptionPausesTable } from './schema-pauses.js';
import type { BreakersTable, CallBucketsTable, CallLimitsTable } from './schema-calls.js';

/** jsonb: written as JSON text, read as a value. */
type Json<T> = ColumnType<T, string, string>;

export interface InstanceTable {
  one: Generated<boolean>;
  id: string;
  mode: InstanceMode;
  temporal_namespace: string | null;
  temporal_cluster: string | null;
  door_digest: string | null;
  /** When a sweep was last finished, by the real clock. */
  swept_at: Date | null;
  created_at: Generated<Date>;
}
export type InstanceMode = 'embedded' | 'production';

export interface ClockTable {
  one: Generated<boolean>;
  advance_ms: number;
}

export interface PoliciesTable {
  version: number;
  digest: string;
  document: string;
  activated_by: string;
  activated_at: Date;
  /** The signed statements as received, a JSON array; empty for the built-in policy. */
  statements: Generated<string>;
  reason: Generated<string>;
}

export interface PersonsTable {
  person_id: string;
  kind: Generated<'human' | 'service'>;
  name: string;
  groups: Generated<string[]>;
  active: Generated<boolean>;
  created_at: Date;
}

export interface RunsTable {
  run_id: string;
  request: string;
  request_digest: string;
  /** Register id of the service that asked, and nobody else's word. */
  requester: string;
  agent: string;
  owner_person: string;
  principal: string;
  environment: Environment;
  domain: string;
  budget_minor: number;
  currency: string;
  /** Sends that this run may make at most, and how many it has made. */
  operations_max: Generated<number>;
  operations: Generated<number>;
  plan_revision: Generated<number>;
  door: Generated<'open' | 'closed' | 'completed'>;
  /** Canonical JSON of the cause on record. */
  door_cause: string | null;
  door_at: Date | null;
  end_phase: string | null;
  end_why: string | null;
  ended_at: Date | null;
  admitted_at: Date;
  /** The completed run whose effects this one takes down. */
  tears_down: Generated<string | null>;
}

export interface PrincipalAccountsTable {
  principal_id: string;
  provider: string;
  account: string;
  run_id: string;
  linked_at: Date;
}

export interface RunFailuresTable {
  id: GeneratedAlways<number>;
  run_id: string;
  step: string;
  code: string;
  message: string;
  recorded_at: Date;
}

export interface ResolutionsTable {
  digest: string;
  run_id: string;
  step: string;
  action: 'retry' | 'done-by-hand' | 'give-up';
  person_id: string;
  key_id: string;
  statement: string;
  signature: string;
  accepted: boolean;
  reason: string;
  recorded_at: Date;
}

export interface TemporalEndsTable {
  run_id: string;
  status: 'TERMINATED' | 'FAILED' | 'TIMED_OUT' | 'LOST';
  read_at: Date;
}

export interface PlansTable {
  run_id: string;
  revision: number;
  plan: string;
  digest: string;
  quote: Generated<string>;
  policy_version: number;
  denials: Generated<number>;
  created_at: Date;
}

export interface PlanStepsTable {
  run_id: string;
  revision: number;
  step: string;
  position: number;
  kind: 'act' | 'adopt' | 'skip' | 'read';
  tier: Tier;
  digest: string | null;
  provider: string | null;
  cost_minor: Generated<number>;
  renewal_minor: Generated<number>;
  renewal_interval: 'month' | 'year' | null;
}

export interface GatesTable {
  gate_id: string;
  run_id: string;
  gate: string;
  revision: number;
  plan_revision: number;
  document: string;
  digest: string;
  card: string;
  card_digest: string;
  actions: string[];
  policy_version: number;
  state: Generated<'open' | 'granted' | 'rejected' | 'expired' | 'void'>;
  reason: string | null;
  closed_by: string | null;
  opened_at: Date;
  expires_at: Date;
  closed_at: Date | null;
  /** When reminder and escalation fall due, written at the opening; null: a gate from before there were any. */
  remind_at: Generated<Date | null>;
  escalate_at: Generated<Date | null>;
  reminded_at: Generated<Date | null>;
  escalated_at: Generated<Date | null>;
}

export interface GrantUsesTable {
  gate_id: string;
  action_digest: string;
  effect_id: string;
  used_at: Date;
}

export interface TermsAcceptancesTable {
  principal_id: string;
  provider: string;
  url: string;
  version: string;
  digest: string;
  gate_id: string;
  accepted_by: string[];
  accepted_at: Date;
}

export interface BundlesTable {
  digest: string;
  manifest: string;
  files: number;
  bytes: number;
  stored_at: Date;
}

export interface BundleFilesTable {
  digest: string;
  path: string;
  sha256: string;
  content: Uint8Array;
}

export interface EffectsTable {
  effect_id: string;
  run_id: string;
  step: string;
  kind: 'act' | 'undo';
  state: 'claimed' | 'succeeded' | 'failed' | 'unknown' | 'closing' | 'closed';
  digest: string | null;
  gate_id: string | null;
  policy_version: number | null;
  provider: string | null;
  keyed: Generated<boolean>;
  epoch: Generated<number>;
  attempt: Generated<number>;
  sender: string | null;
  clean: Generated<boolean>;
  send_by: Date | null;
  settling_ms: Generated<number>;
  key_since: Date | null;
  settled: Generated<boolean>;
  settled_at: Date | null;
  object: string | null;
  fields: Json<Record<string, string>>;
  captured_minor: Generated<number>;
  refunded_minor: Generated<number>;
  stored_error: '402' | '500' | null;
  tombstone: Generated<boolean>;
  /** Was `failed`, so surely nothing, when the row was marked `closing`. */
  refused: Generated<boolean>;
  /** The first send since the row had last surely done nothing. */
  begun_at: Generated<Date | null>;
  closed_at: Generated<Date | null>;
  /** The run that has set out to take it down, and when it was gone. */
  torn_by: Generated<string | null>;
  torn_at: Generated<Date | null>;
  outcome: string | null;
  residue_minor: number | null;
  residue_text: string | null;
  evidence: Json<Record<string, string | number | boolean>>;
  created_at: Date;
}

export interface EffectReadsTable {
  id: GeneratedAlways<number>;
  effect_id: string;
  attempt: number;
  begun_at: Date;
  ended_at: Date | null;
  found: boolean | null;
}

export interface StopsTable {
  stop_id: GeneratedAlways<number>;
  scope: string;
  reason: string;
  stopped_by: string;
  proven: boolean;
  mode: Generated<'unwind' | 'hold'>;
  fenced_at: Date;
  drained_at: Date | null;
  lifted_at: Date | null;
  lifted_by: string | null;
  lifted_statement: string | null;
  /** The resume message in canonical form, and the version of the policy that was in force. */
  lifted_message: string | null;
  lifted_policy: number | null;
  lifted_before: Generated<boolean>;
  /** Since when the agents in its scope are suspended, and nothing is reserved under it. */
  identity_at: Date | null;
  payment_at: Date | null;
  /** Since when it wants the subscriptions in its scope paused. */
  pauses_at: Date | null;
}

export interface StopWireTable {
  stop_id: number;
  effect_id: string;
  attempt: number;
  send_by: Date;
  settling_ms: number;
}

export interface FencesTable {
  scope: string;
  stop_id: number;
}

export interface RefusalsTable {
  id: GeneratedAlways<number>;
  run_id: string | null;
  asked: string;
  reason: string;
  detail: string;
  refused_at: Date;
}

export interface LogTable {
  idx: number;
  kind: string;
  run_id: string | null;
  at: Date;
  leaf: string;
  prev: string;
  hash: string;
}

export interface LogPayloadsTable {
  idx: number;
  salt: string;
  payload: string;
}

export interface LogHeadTable {
  one: Generated<boolean>;
  idx: number;
  hash: string;
}

/** The control database as the migrations make it. bigint arrives as a (safe) number. */
export interface Schema {
  instance: InstanceTable;
  clock: ClockTable;
  policies: PoliciesTable;
  persons: PersonsTable;
  keys: KeysTable;
  key_enrolments: KeyEnrolmentsTable;
  key_approvals: KeyApprovalsTable;
  key_revocations: KeyRevocationsTable;
  root_pins: RootPinsTable;
  lift_words: LiftWordsTable;
  agents: AgentsTable;
  agent_owners: AgentOwnersTable;
  accounts: AccountsTable;
  delegations: DelegationsTable;
  run_agents: RunAgentsTable;
  register_changes: RegisterChangesTable;
  principals: PrincipalsTable;
  service_keys: ServiceKeysTable;
  runs: RunsTable;
  allowances: AllowancesTable;
  principal_accounts: PrincipalAccountsTable;
  run_failures: RunFailuresTable;
  resolutions: ResolutionsTable;
  temporal_ends: TemporalEndsTable;
  plans: PlansTable;
  plan_steps: PlanStepsTable;
  gates: GatesTable;
  decisions: DecisionsTable;
  grant_uses: GrantUsesTable;
  terms_acceptances: TermsAcceptancesTable;
  bundles: BundlesTable;
  bundle_files: BundleFilesTable;
  effects: EffectsTable;
  effect_reads: EffectReadsTable;
  stops: StopsTable;
  stop_wire: StopWireTable;
  subscription_pauses: SubscriptionPausesTable;
  fences: FencesTable;
  reservations: ReservationsTable;
  balances: BalancesTable;
  commitments: CommitmentsTable;
  postings: PostingsTable;
  renewals: RenewalsTable;
  disputes: DisputesTable;
  failed_refunds: FailedRefundsTable;
  findings: FindingsTable;
  reconcile_areas: ReconcileAreasTable;
  reconcile_passes: ReconcilePassesTable;
  cases: CasesTable;
  refusals: RefusalsTable;
  log: LogTable;
  log_payloads: LogPayloadsTable;
  log_head: LogHeadTable;
  notices: NoticesTable;
  anomalies: AnomaliesTable;
  call_limits: CallLimitsTable;
  call_buckets: CallBucketsTable;
  breakers: BreakersTable;
  webhook_events: WebhookEventsTable;
  http_answers: HttpAnswersTable;
  sessions: SessionsTable;
  provider_tokens: ProviderTokensTable;
  credential_states: CredentialStatesTable;
  notice_queue: NoticeQueueTable;
  deliveries: DeliveriesTable;
  break_glasses: BreakGlassesTable;
}

export type Row<Table extends keyof Schema> = Selectable<Schema[Table]>;

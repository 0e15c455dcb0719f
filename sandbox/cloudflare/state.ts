import type { World } from '../core/world.js';

/** All times in the state are milliseconds of the world's clock; all amounts are cents. */
export interface AccountRecord {
  id: string;
  name: string;
  createdAt: number;
  /** Made under our organisation: only such accounts may be deleted by API. */
  tenant: boolean;
  /** What our credentials see; a person's account becomes visible by consent. */
  linked: boolean;
  owner: string | null;
  addressBook: boolean;
  agreementAcceptedAt: number | null;
  paymentMethods: PaymentMethodRecord[];
  fraudBlockedUntil: number | null;
  visibleAt: number;
}

export interface PaymentMethodRecord {
  id: string;
  type: 'CREDIT_CARD';
  lastFour: string;
  default: boolean;
}

export interface MemberRecord {
  id: string;
  accountId: string;
  email: string;
  status: 'accepted' | 'pending';
  roles: string[];
  visibleAt: number;
}

export interface SubscriptionRecord {
  id: string;
  accountId: string;
  ratePlan: string;
  frequency: 'weekly' | 'monthly' | 'quarterly' | 'yearly';
  priceMinor: number;
  state: 'Paid' | 'AwaitingPayment' | 'Failed';
  startedAt: number;
  endsAt: number;
  cancelScheduled: boolean;
  visibleAt: number;
}

export interface PolicyRecord {
  id: string;
  effect: 'allow' | 'deny';
  permission_groups: { id: string; name?: string | undefined }[];
  resources: Record<string, string | Record<string, string>>;
}

export interface TokenRecord {
  id: string;
  accountId: string;
  name: string;
  /** Part of the value: a roll draws another, and the old value is dead. The value is kept nowhere. */
  nonce: string;
  policies: PolicyRecord[];
  condition: {
    request_ip?: { in?: string[] | undefined; not_in?: string[] | undefined } | undefined;
  } | null;
  status: 'active' | 'disabled';
  notBefore: number | null;
  expiresOn: number | null;
  issuedAt: number;
  modifiedAt: number;
  lastUsedAt: number | null;
  /** From when on the value works: tokens take a moment to spread. */
  worksFrom: number;
  visibleAt: number;
}

export type WorkflowState =
  'pending' | 'in_progress' | 'action_required' | 'blocked' | 'succeeded' | 'failed';

/** One stretch of a workflow's life; the workflow is in the last phase whose time has come. */
export interface WorkflowPhase {
  state: WorkflowState;
  at: number;
  context?: Record<string, unknown>;
  error?: { code: string; message: string };
}

export interface RegistrationWorkflow {
  domain: string;
  accountId: string;
  createdAt: number;
  /** Until then the status route does not know the workflow yet. */
  statusVisibleAt: number;
  phases: WorkflowPhase[];
  years: number;
  autoRenew: boolean;
  privacyMode: 'off' | 'redaction';
  priceMinor: number;
  chargeId: string;
  zoneId: string;
  zoneDelayMs: number;
  activationMs: number;
  /** Set once the last phase's effects are in the state. */
  applied: boolean;
  /** A failure that captures the money all the same gives it back at this time. */
  voidAt: number | null;
  visibleAt: number;
}

export interface UpdateWorkflow {
  domain: string;
  accountId: string;
  createdAt: number;
  doneAt: number;
  autoRenew: boolean;
  applied: boolean;
}

export interface RegistrationRecord {
  domain: string;
  accountId: string;
  createdAt: number;
  expiresAt: number;
  autoRenew: boolean;
  privacyMode: 'off' | 'redaction';
  chargeId: string;
  visibleAt: number;
}

export interface ChargeRecord {
  id: string;
  object: string;
  accountId: string;
  amountMinor: number;
  currency: 'USD';
  refundedMinor: number;
  at: number;
  /** Taken by mistake: given back at this time, and the name is held until then. */
  voidAt: number | null;
  what: 'registration' | 'renewal' | 'subscription';
}

export interface ZoneRecord {
  id: string;
  accountId: string;
  name: string;
  createdAt: number;
  /** Null: stays pending until a person points the name servers here. */
  activeAt: number | null;
  fromRegistrar: boolean;
  visibleAt: number;
}

export interface DnsRecord {
  id: string;
  zoneId: string;
  type: string;
  name: string;
  content: string;
  ttl: number;
  proxied: boolean;
  priority: number | null;
  data: Record<string, unknown> | null;
  comment: string | null;
  tags: string[];
  createdAt: number;
  modifiedAt: number;
  /** The custom domain that keeps this record; such records are read only. */
  managedBy: string | null;
  foreign: boolean;
  visibleAt: number;
}

export interface ModuleRecord {
  name: string;
  kind: 'js' | 'text' | 'json' | 'data' | 'wasm';
  blob: string;
  contentType: string;
}

export interface AssetRecord {
  hash: string;
  size: number;
  contentType: string;
  blob: string;
}

export interface AssetsRecord {
  files: Record<string, AssetRecord>;
  htmlHandling: 'auto-trailing-slash' | 'none';
  notFoundHandling: 'none' | '404-page' | 'single-page-application';
  runWorkerFirst: boolean;
}

export interface VersionRecord {
  id: string;
  number: number;
  createdAt: number;
  mainModule: string | null;
  modules: ModuleRecord[];
  compatibilityDate: string;
  compatibilityFlags: string[];
  bindings: BindingRecord[];
  assets: AssetsRecord | null;
  message: string | null;
  tag: string | null;
  etag: string;
  handlers: string[];
  startupMs: number;
}

export interface BindingRecord {
  type: 'plain_text' | 'json' | 'secret_text' | 'assets' | 'version_metadata';
  name: string;
  text?: string;
  json?: unknown;
}

export interface DeploymentRecord {
  id: string;
  createdAt: number;
  message: string | null;
  versions: { version_id: string; percentage: number }[];
}

export interface ScriptRecord {
  accountId: string;
  name: string;
  tag: string;
  createdAt: number;
  modifiedAt: number;
  tags: string[];
  logpush: boolean;
  observability: { enabled: boolean; head_sampling_rate: number | null };
  subdomain: { enabled: boolean; previews_enabled: boolean };
  versions: VersionRecord[];
  /** Newest first: the first is live. */
  deployments: DeploymentRecord[];
  visibleAt: number;
}

export interface UploadSession {
  id: string;
  accountId: string;
  script: string;
  manifest: Record<string, { hash: string; size: number }>;
  missing: string[];
}

export interface CustomDomainRecord {
  id: string;
  accountId: string;
  zoneId: string;
  zoneName: string;
  hostname: string;
  service: string;
  certId: string;
  certActiveAt: number;
  createdAt: number;
  recordId: string;
  visibleAt: number;
}

/** One Cloudflare as seen by one world: everything that really exists there. */
export interface CloudflareState {
  choices: Record<string, string | number>;
  accounts: Record<string, AccountRecord>;
  /** Keys of account creation: scope (the caller) and key. */
  accountKeys: Record<string, { accountId: string; request: string; at: number }>;
  members: Record<string, MemberRecord>;
  subscriptions: Record<string, SubscriptionRecord>;
  tokens: Record<string, TokenRecord>;
  /** By account and domain, see `workflowKey`. */
  workflows: Record<string, RegistrationWorkflow>;
  updates: Record<string, UpdateWorkflow>;
  registrations: Record<string, RegistrationRecord>;
  /** Names that somebody else registered. */
  taken: string[];
  prices: Record<string, { registrationMinor: number; renewalMinor: number }>;
  charges: ChargeRecord[];
  zones: Record<string, ZoneRecord>;
  records: Record<string, DnsRecord>;
  scripts: Record<string, ScriptRecord>;
  accountSubdomains: Record<string, string>;
  customDomains: Record<string, CustomDomainRecord>;
  uploads: Record<string, UploadSession>;
  /** Assets known to an account, by the hash its manifest gave. */
  assets: Record<string, Record<string, AssetRecord>>;
  /** Bytes by SHA-256, in base64. */
  blobs: Record<string, string>;
  jwtSecret: string;
  /** Accounts in which a script is being deleted just now, and until when. */
  deleting: Record<string, number>;
  rate: Record<string, { from: number; count: number; blockedUntil: number | null }>;
}

const empty = (): CloudflareState => ({
  choices: {},
  accounts: {},
  accountKeys: {},
  members: {},
  subscriptions: {},
  tokens: {},
  workflows: {},
  updates: {},
  registrations: {},
  taken: [],
  prices: {},
  charges: [],
  zones: {},
  records: {},
  scripts: {},
  accountSubdomains: {},
  customDomains: {},
  uploads: {},
  assets: {},
  blobs: {},
  jwtSecret: '',
  deleting: {},
  rate: {},
});

/** The world's Cloudflare, made empty at first use. */
export function cloudflareState(world: World): CloudflareState {
  return world.slot('cloudflare', empty);
}

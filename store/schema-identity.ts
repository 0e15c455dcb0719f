import type { Generated } from 'kysely';

/** An account at an issuer, of one person, agent or service for ever. */
export interface AccountsTable {
  iss: string;
  sub: string;
  person_id: string | null;
  agent_id: string | null;
  service_id: string | null;
  /** To be shown; nothing is ever linked or found by it. */
  email: string | null;
  email_verified: Generated<boolean>;
  linked_at: Date;
  linked_by: string;
  statement: string | null;
  void_at: Date | null;
  void_reason: string | null;
}

export interface AgentsTable {
  agent_id: string;
  owner_person: string | null;
  /** `agents on|off`: may it start runs? Those that run go on. */
  active: Generated<boolean>;
  /** Anything but `active` keeps it from starting runs and its runs from doing anything more. */
  state: Generated<AgentState>;
  state_reason: Generated<string | null>;
  /** What it may ask for by a token of its own; empty allows nothing, `*` any. */
  principals: Generated<string[]>;
  environments: Generated<string[]>;
  /** The agents that it may say it acts for. */
  via: Generated<string[]>;
  created_at: Date;
}
export type AgentState = 'active' | 'suspended' | 'removed';

/** Who answered for an agent, and when; written by a trigger. */
export interface AgentOwnersTable {
  agent_id: string;
  person_id: string;
  since: Date;
  until: Date | null;
}

/** The chain of agents that a run came through, outermost first, with the owner of each at admission. */
export interface RunAgentsTable {
  run_id: string;
  position: number;
  agent_id: string;
  build: string | null;
  session: string | null;
  owner_person: string;
}

/** What a person lets an agent do on their behalf. `steps` is `{*}` or names of steps; the ceiling is of one run. */
export interface DelegationsTable {
  delegation_id: string;
  person_id: string;
  agent_id: string;
  steps: string[];
  ceiling_minor: number;
  currency: string;
  until: Date;
  /** The signed statement as received. */
  statement: string;
  given_at: Date;
  revoked_at: Date | null;
  revoked_by: string | null;
}

export interface PrincipalsTable {
  principal_id: string;
  name: string;
  email: string | null;
  /** Of the digests by which action documents refer to name and address. */
  salt: Generated<string | null>;
  erased_at: Generated<Date | null>;
  person_id: Generated<string | null>;
  created_at: Date;
}

/** `agents`, `principals` and `environments` are allow-lists: empty allows nothing, `*` allows any. */
export interface ServiceKeysTable {
  key_id: string;
  service_id: string;
  public_key: string;
  agents: string[];
  principals: string[];
  environments: string[];
  created_at: Date;
  revoked_at: Date | null;
}

/** Signed changes of the register, each once. */
export interface RegisterChangesTable {
  digest: string;
  kind: string;
  message: string;
  by_person: string;
  changed_at: Generated<Date>;
}

import type { Anomaly } from './anomalies.js';
import type { ActionDocument, CardDocument, Rule } from './documents.js';
import type { Digest, GateId, RunId } from './ids.js';
import type {
  EffectStep,
  End,
  Environment,
  Phase,
  ProviderName,
  ReversalKind,
  StepName,
  Tier,
} from './steps.js';

/** What was read at the providers before planning. Reads only; amounts in minor units. */
export interface Quote {
  readonly quotedAt: string;
  readonly customer:
    | { readonly kind: 'create' }
    /** `marker`: bears our marker or is on record; `person`: found by e-mail, needs a person's word at the gate. */
    | { readonly kind: 'adopt'; readonly customerId: string; readonly by: 'marker' | 'person' };
  readonly account:
    | { readonly kind: 'create' }
    | {
        readonly kind: 'link';
        readonly accountId: string;
        readonly name: string;
        readonly recorded: boolean;
      }
    /** The request names an account whose owner has not consented yet. */
    | { readonly kind: 'needs-consent'; readonly accountId: string };
  readonly subscription:
    | { readonly kind: 'none' }
    | {
        readonly kind: 'create';
        readonly priceId: string;
        readonly amountMinor: number;
        readonly currency: string;
        readonly interval: 'month' | 'year';
      }
    | {
        readonly kind: 'running';
        readonly subscriptionId: string;
        readonly amountMinor: number;
        readonly currency: string;
        readonly interval: 'month' | 'year';
      };
  readonly domain:
    | {
        readonly kind: 'register';
        readonly registrationMinor: number;
        readonly renewalMinor: number;
        readonly currency: string;
      }
    /** Registered already, in this account; `zoneId` is where its records live. */
    | {
        readonly kind: 'running';
        readonly zoneId: string;
        readonly renewalMinor: number;
        readonly currency: string;
      }
    | { readonly kind: 'unavailable'; readonly reason: string };
  readonly site:
    | { readonly kind: 'first' }
    | {
        readonly kind: 'update';
        readonly scriptName: string;
        readonly versionId: string;
        readonly liveBundle: string | undefined;
      }
    | { readonly kind: 'same'; readonly scriptName: string };
  readonly customDomain: { readonly kind: 'attach' } | { readonly kind: 'attached' };
  readonly dns:
    | { readonly kind: 'none' }
    /** `there`: which of the records asked for exist already, by their place in the request. */
    | { readonly kind: 'create'; readonly there?: readonly number[] }
    | { readonly kind: 'present' };
}

export interface Denial {
  /** The rule's name in the policy document, e.g. `domains.nearNames`. */
  readonly rule: string;
  readonly message: string;
}

export interface PlanStep {
  readonly step: StepName;
  /** `act`: one effect; `adopt`: it exists, nothing is sent; `skip`: not asked for; `read`: verify only. */
  readonly kind: 'act' | 'adopt' | 'skip' | 'read';
  readonly title: string;
  /** Present where `kind` is `act`. */
  readonly action?: ActionDocument;
  readonly actionDigest?: Digest;
  readonly tier: Tier;
  /** The policy's rule names that ask for this tier. */
  readonly because: readonly string[];
  readonly costMaxMinor: number;
  readonly reversal: ReversalKind;
  readonly residue: { readonly minor: number; readonly text: string };
  /** The gate that covers it: `plan`, `register-domain`, or none when autonomous. */
  readonly gate?: string;
}

export interface Terms {
  readonly provider: ProviderName;
  readonly url: string;
  readonly version: string;
  readonly digest: string;
}

export interface Plan {
  readonly runId: RunId;
  readonly revision: number;
  readonly environment: Environment;
  readonly policyVersion: number;
  readonly policyDigest: Digest;
  readonly currency: string;
  readonly steps: readonly PlanStep[];
  readonly totalMaxMinor: number;
  readonly firstChargeMinor: number;
  readonly monthlyMinor: number;
  readonly yearlyMinor: number;
  readonly worstCase: readonly { readonly afterStep: StepName; readonly lossMinor: number }[];
  readonly denials: readonly Denial[];
  readonly gates: readonly {
    readonly gate: string;
    readonly rule: Rule;
    readonly steps: readonly EffectStep[];
  }[];
  /** Terms that a person has to accept with this run, because no acceptance of this version is on record. */
  readonly terms: readonly Terms[];
  /** What is unusual about it for its agent; absent: nothing. */
  readonly anomalies?: readonly Anomaly[];
}

/** A gate as callers see it: its document and card as the exact canonical bytes that were digested. */
export interface OpenGate {
  readonly gateId: GateId;
  readonly gate: string;
  readonly revision: number;
  readonly digest: Digest;
  readonly document: string;
  readonly card: string;
  readonly expiresInMs: number;
}

export interface StepReport {
  readonly step: StepName;
  readonly outcome:
    | 'pending'
    | 'adopted'
    | 'skipped'
    | 'running'
    | 'succeeded'
    | 'failed'
    | 'unknown'
    | 'reversing'
    | 'reversed'
    | 'mitigated'
    | 'never-happened'
    | 'stuck'
    | 'verified';
  readonly object?: string;
  readonly spentMinor: number;
  readonly residue?: { readonly minor: number; readonly text: string };
  readonly note?: string;
}

/** What the `state` query answers and what a run ends with. Amounts in minor units of `currency`. */
export interface RunState {
  readonly runId: RunId;
  readonly phase: Phase | End;
  readonly why: string;
  readonly steps: readonly StepReport[];
  readonly openGate?: OpenGate & { readonly parsedCard?: CardDocument };
  readonly currency: string;
  /** What the plan costs at most when it acts, and then each month and year. Minor units. */
  readonly price?: {
    readonly firstMinor: number;
    readonly monthlyMinor: number;
    readonly yearlyMinor: number;
  };
  readonly reservedMinor: number;
  readonly spentMinor: number;
  readonly residue: readonly {
    readonly step: StepName;
    readonly minor: number;
    readonly text: string;
  }[];
  /** Whom or what it waits for, in words, and the next command. */
  readonly waitsFor?: { readonly what: string; readonly who: string; readonly command: string };
  readonly denials?: readonly Denial[];
  /** What is unusual about it for its agent. */
  readonly anomalies?: readonly Anomaly[];
  readonly cases?: readonly string[];
  /** The run whose effects this one takes down. */
  readonly tearsDown?: string;
  /** The run that has taken down what this one made. */
  readonly tornDownBy?: string;
  /** The stop in force over it; one that unwinds before one that holds. */
  readonly stopped?: {
    readonly scope: string;
    readonly mode: 'unwind' | 'hold';
    readonly reason: string;
    readonly by: string;
  };
}

import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { DecisionVerdict } from '../activities/api.js';
import type { GateWord } from '../domain/break-glass-documents.js';
import type { ResolveMessage, ResumeMessage, StopMessage } from '../domain/documents.js';
import type { RunState } from '../domain/plan.js';

/** Names that callers, scripts and histories hold. Append-only. */

export type { DecisionVerdict };

export const WORKFLOWS = {
  provision: 'provision',
  teardown: 'teardown',
  repair: 'repair',
} as const;

export const TASK_QUEUES = {
  workflows: 'countersign',
  actions: 'countersign-actions',
  compensations: 'countersign-compensations',
} as const;

/** A signed decision upon a gate, or a break-glass. The signal is enough; it answers nothing. */
export const decideSignal = defineSignal<[GateWord]>('decide');
/** The same by update: answers at once whether the decision was accepted, and if not why. */
export const decideUpdate = defineUpdate<DecisionVerdict, [GateWord]>('decide');
/** Ends the run by unwinding it, or holds it still. Needs no signature: it is the safe direction. */
export const stopSignal = defineSignal<[StopMessage]>('stop');
/** The signed way on for a stuck run. */
export const resolveSignal = defineSignal<[ResolveMessage]>('resolve');
/** Signed: lets a held run go on. */
export const resumeSignal = defineSignal<[ResumeMessage]>('resume');
/** Where the run is, what it holds, what it has spent, whom it awaits. Total, read-only. */
export const stateQuery = defineQuery<RunState>('state');

export const SEARCH_ATTRIBUTES = {
  phase: defineSearchAttributeKey('Phase', SearchAttributeType.KEYWORD),
  awaitingApproval: defineSearchAttributeKey('AwaitingApproval', SearchAttributeType.BOOL),
  agent: defineSearchAttributeKey('Agent', SearchAttributeType.KEYWORD),
  principal: defineSearchAttributeKey('Principal', SearchAttributeType.KEYWORD),
  domain: defineSearchAttributeKey('Domain', SearchAttributeType.KEYWORD),
  environment: defineSearchAttributeKey('Environment', SearchAttributeType.KEYWORD),
  provider: defineSearchAttributeKey('Provider', SearchAttributeType.KEYWORD),
  spentMinor: defineSearchAttributeKey('SpentMinor', SearchAttributeType.INT),
} as const;

/** The failure type of a run that ended otherwise than `completed`: `RUN_REVERSED` and so on. */
export const runFailureType = (end: string): string => `RUN_${end.toUpperCase()}`;

/** What a case is about, as far as its way out needs it. */
export interface CaseFacts {
  readonly caseId: number;
  readonly runId: string | undefined;
  /** `<instance>/<runId>/<step>/<act|undo>` */
  readonly effectId: string | undefined;
}

export interface Proposal {
  /** What to do, and when it is done. */
  readonly text: string;
  /** The exact command of the next step. */
  readonly command: string;
}

/** `urgent`: money or a name may be lost meanwhile; `warning`: somebody has to decide; `info`: good to know. */
export type CaseSeverity = 'urgent' | 'warning' | 'info';

/** One kind of case: what it means, who acts, how it closes, and the proposed way out. */
export interface CaseKind {
  readonly severity: CaseSeverity;
  readonly means: string;
  readonly who: string;
  readonly closes: string;
  readonly propose: (facts: CaseFacts) => Proposal;
}

/** Closes the case when it is looked after; the words stay to be filled in. */
export const closing = ({ caseId }: CaseFacts): string =>
  `countersign cases close ${caseId} --reason "what was done" --key FILE`;

/** Of the run that it is about, or a look at the case itself. */
export const look = ({ caseId, runId }: CaseFacts): string =>
  runId === undefined ? `countersign cases show ${caseId}` : `countersign show ${runId}`;

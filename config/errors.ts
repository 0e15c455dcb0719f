/** What was wrong, where, and what to do about it: one sentence each, never a stack line. */
export interface Complaint {
  readonly what: string;
  readonly where?: string;
  readonly remedy: string;
}

function sentence({ what, where, remedy }: Complaint): string {
  return `${where === undefined ? '' : `${where}: `}${what}. ${remedy}.`;
}

/** The call or a file is wrong; the command line ends with exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly exitCode = 2;
  constructor(readonly complaint: Complaint) {
    super(sentence(complaint));
  }
}

/** Something that is needed cannot be reached or started; the command line ends with exit code 3. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError';
  readonly exitCode = 3;
  constructor(readonly complaint: Complaint) {
    super(sentence(complaint));
  }
}

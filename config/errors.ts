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

/** The `code` of a system error such as `ENOENT`. Not by `instanceof`: such errors may come from another realm. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** The first line of what an error says, for use inside a sentence of ours. */
export function reasonOf(error: unknown): string {
  const message =
    typeof error === 'object' && error !== null && 'message' in error ? error.message : error;
  const line = String(message).trim().split('\n')[0] ?? '';
  return line === '' ? (errorCode(error) ?? 'no reason given') : line;
}

import { GateNotTrue } from '../client/decision.js';
import { HttpUnreachable, ServerRefused, SignInRefused } from '../client/http/errors.js';
import {
  FileRefused,
  NoTerminal,
  NoWorker,
  RunEnded,
  RunIdTaken,
  RunUnknown,
  TemporalUnreachable,
} from '../client/errors.js';
import { Interrupted } from '../client/terminal.js';
import { UnreachableError, UsageError } from '../config/errors.js';
import { Failure, type FailureCode } from '../domain/errors.js';
import { visible } from '../domain/untrusted.js';
import { asStoreFailure } from '../store/failures.js';
import { saidOfRefusal } from './over-server.js';

export const EXIT = { done: 0, otherwise: 1, usage: 2, unreachable: 3 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** One clear message and the exit code that goes with it. */
export interface Explained {
  readonly message: string;
  readonly exitCode: ExitCode;
  /** For scripts: a failure code, or the kind of error. */
  readonly code: string;
}

/** A failure that another process of ours has explained already. */
export class Explanation extends Error {
  override readonly name = 'Explanation';
  constructor(readonly explained: Explained) {
    super(explained.message);
  }
}

const UNREACHABLE_CODES: ReadonlySet<FailureCode> = new Set([
  'STORE_UNAVAILABLE',
  'PROVIDER_UNAVAILABLE',
  'OUTCOME_UNKNOWN',
  'POLICY_MISSING',
]);

/** Turns whatever was thrown into words for a person; never a stack line. */
export function explain(error: unknown): Explained {
  if (error instanceof Explanation) return error.explained;
  const known = asStoreFailure(error);
  if (known instanceof Failure) return ofFailure(known);
  if (!(known instanceof Error)) return unexpected('an unknown fault');
  const said = (exitCode: ExitCode, code: string, message = known.message): Explained => ({
    message,
    exitCode,
    code,
  });
  if (known instanceof UsageError || known instanceof FileRefused) return said(EXIT.usage, 'USAGE');
  if (known instanceof NoTerminal) return said(EXIT.usage, 'NO_TERMINAL');
  if (known instanceof RunIdTaken)
    return said(EXIT.usage, 'RUN_ID_TAKEN', `${known.message}, or leave --run-id out`);
  if (known instanceof RunUnknown)
    return said(
      EXIT.usage,
      'RUN_UNKNOWN',
      `${known.message} here. See which there are: countersign runs`,
    );
  if (known instanceof UnreachableError) return said(EXIT.unreachable, 'UNREACHABLE');
  if (known instanceof TemporalUnreachable)
    return said(
      EXIT.unreachable,
      'TEMPORAL_UNREACHABLE',
      `${known.message}. Start one with: countersign up, or correct COUNTERSIGN_TEMPORAL_ADDRESS.`,
    );
  if (known instanceof NoWorker)
    return said(
      EXIT.unreachable,
      'NO_WORKER',
      `${known.message}. Start one with: countersign up, or: countersign worker --role workflows`,
    );
  if (known instanceof RunEnded)
    return said(EXIT.otherwise, `RUN_${known.phase.toUpperCase()}`, `${known.message}.`);
  if (known instanceof GateNotTrue) return said(EXIT.otherwise, 'GATE_NOT_TRUE');
  if (known instanceof Interrupted || known.message === 'interrupted')
    return said(EXIT.otherwise, 'INTERRUPTED', 'interrupted; what runs in Temporal goes on');
  return (
    ofServer(known) ??
    ofInfrastructure(known) ??
    unexpected(`${known.name}: ${firstLine(known.message)}`)
  );
}

/** What came over HTTP is of somebody else's making: shown without what a terminal would obey. */
function ofServer(error: Error): Explained | undefined {
  if (error instanceof HttpUnreachable)
    return {
      message: `${visible(error.message)}.`,
      exitCode: EXIT.unreachable,
      code: 'UNREACHABLE',
    };
  if (error instanceof SignInRefused)
    return {
      message: `not signed in: ${visible(error.message)} (${visible(error.code)})`,
      exitCode: EXIT.otherwise,
      code: 'SIGN_IN_REFUSED',
    };
  if (!(error instanceof ServerRefused)) return undefined;
  const code = error.code.toUpperCase().replaceAll(/[^A-Z0-9]+/g, '_');
  const wrong = [400, 401, 404, 413, 415, 422].includes(error.status);
  const exitCode = error.status >= 500 ? EXIT.unreachable : wrong ? EXIT.usage : EXIT.otherwise;
  return { message: visible(saidOfRefusal(error)), exitCode, code };
}

function ofFailure({ code, message }: Failure): Explained {
  if (code === 'REQUEST_INVALID' || code === 'RUN_UNKNOWN')
    return { message: `${message}.`.replace(/\.\.$/, '.'), exitCode: EXIT.usage, code };
  if (code === 'POLICY_MISSING')
    return {
      message: `${message}. Without a policy everything is denied; activate one with: countersign up`,
      exitCode: EXIT.unreachable,
      code,
    };
  const exitCode = UNREACHABLE_CODES.has(code) ? EXIT.unreachable : EXIT.otherwise;
  return { message: `${message} (${code})`, exitCode, code };
}

/** gRPC's numbers for UNAVAILABLE, DEADLINE_EXCEEDED and PERMISSION_DENIED, UNAUTHENTICATED. */
const GRPC_SILENT: readonly unknown[] = [14, 4];
const GRPC_REFUSED: readonly unknown[] = [7, 16];

function ofInfrastructure(error: Error): Explained | undefined {
  const codes = [error, error.cause].map((one) =>
    one instanceof Error && 'code' in one ? one.code : undefined,
  );
  if (codes.some((code) => GRPC_SILENT.includes(code)))
    return {
      message: 'Temporal does not answer. Is it running? See: countersign status',
      exitCode: EXIT.unreachable,
      code: 'TEMPORAL_UNREACHABLE',
    };
  if (codes.some((code) => GRPC_REFUSED.includes(code)))
    return {
      message:
        'Temporal refuses these credentials. Check COUNTERSIGN_TEMPORAL_API_KEY or _TLS_CERT.',
      exitCode: EXIT.unreachable,
      code: 'TEMPORAL_REFUSED',
    };
  return undefined;
}

function unexpected(what: string): Explained {
  return {
    message: `an unexpected fault: ${what}. Run it again with --debug to see where`,
    exitCode: EXIT.otherwise,
    code: 'UNEXPECTED',
  };
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}

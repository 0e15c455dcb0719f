import type { RunState } from '../domain/plan.js';

/** Temporal does not answer at the address that was given. */
export class TemporalUnreachable extends Error {
  override readonly name = 'TemporalUnreachable';
  constructor(
    readonly address: string,
    reason: string,
  ) {
    super(`no Temporal server answers at ${address} (${reason})`);
  }
}

/** No run of this id is known to Temporal. */
export class RunUnknown extends Error {
  override readonly name = 'RunUnknown';
  constructor(readonly runId: string) {
    super(`there is no run ${runId}`);
  }
}

/** Temporal answers, but no workflow worker does. */
export class NoWorker extends Error {
  override readonly name = 'NoWorker';
  constructor(readonly runId: string) {
    super(`run ${runId} does not answer: no workflow worker is running`);
  }
}

/** The id belongs to another request; nothing more is told about it. */
export class RunIdTaken extends Error {
  override readonly name = 'RunIdTaken';
  constructor(readonly runId: string) {
    super(`the run id ${runId} belongs to another request; choose another id`);
  }
}

/** A run that ended otherwise than `completed`: `phase` says how, `report` what was done and what is left. */
export class RunEnded extends Error {
  override readonly name = 'RunEnded';
  constructor(
    readonly phase: string,
    readonly report: RunState | undefined,
    message: string,
  ) {
    super(message);
  }
}

/** A key file, service key or bundle folder that cannot be used as it is. The message names file and remedy. */
export class FileRefused extends Error {
  override readonly name = 'FileRefused';
  constructor(
    readonly file: string,
    what: string,
    remedy: string,
  ) {
    super(`${file}: ${what}. ${remedy}.`);
  }
}

/** A person at a terminal is needed, and there is none. */
export class NoTerminal extends Error {
  override readonly name = 'NoTerminal';
  constructor() {
    super(
      'this needs a person at a terminal, and there is none. Run it in a terminal of your own, not from a pipe or a job.',
    );
  }
}

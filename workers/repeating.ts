import type { Logger } from 'pino';

export interface Repeating {
  readonly everyMs: number;
  readonly log: Logger;
  /** What is logged of a round that did not finish; its error by its name alone, for it may quote what nobody should read. */
  readonly unfinished: string;
  readonly fields?: object;
  /** `false`: the first round is after the first interval. */
  readonly atOnce?: boolean;
}

/**
 * Does something again and again, one round at a time: a round that falls due while another runs is left out, so that slow
 * ones do not pile up. One that fails concludes nothing, and the next tries again. Answers what stops it.
 */
export function repeating(of: Repeating, round: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  const once = (): void => {
    running ??= round()
      .catch((error: unknown) => {
        const name = error instanceof Error ? error.name : typeof error;
        of.log.warn({ ...of.fields, name }, of.unfinished);
      })
      .finally(() => {
        running = undefined;
      });
  };
  if (of.atOnce !== false) once();
  const timer = setInterval(once, of.everyMs);
  return async () => {
    clearInterval(timer);
    await running;
  };
}

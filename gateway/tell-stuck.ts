import { FAILURES, Failure } from '../domain/errors.js';
import type { RunId } from '../domain/ids.js';
import type { EffectStep } from '../domain/steps.js';
import { addNotice } from '../store/notices.js';
import { countResolutions } from '../store/resolutions.js';
import type { Parts } from './parts.js';

/**
 * Tells people of a reversal that failed for good, as it fails: from there on the run is stuck. Once until somebody has
 * signed a way on, and again if that did not help.
 */
export async function tellingWhereStuck<T>(
  { db }: Pick<Parts, 'db'>,
  runId: RunId,
  step: EffectStep,
  reversal: () => Promise<T>,
): Promise<T> {
  try {
    return await reversal();
  } catch (error) {
    if (error instanceof Failure && needsPerson(error))
      await addNotice(db, {
        kind: 'run-stuck',
        dedupe: `run-stuck:${runId}:${step}:${await countResolutions(db, runId)}`,
        runId,
        payload: { step, code: error.code },
      });
    throw error;
  }
}

/** Trying again does not help, and it is no refusal of somebody who had no business here. */
const needsPerson = ({ code }: Failure): boolean =>
  !FAILURES[code].retry && FAILURES[code].blame !== 'governance' && code !== 'RUN_UNKNOWN';

import { Failure } from '../domain/errors.js';
import type { RunId } from '../domain/ids.js';
import type { StepReport } from '../domain/plan.js';
import type { EffectStep } from '../domain/steps.js';
import { bundleFiles } from '../store/bundle-files.js';
import type { StoredFile } from '../store/bundle-files.js';
import { appendLog } from '../store/log.js';
import { settledForMs } from '../store/verifications.js';
import { readBack } from './effect.js';
import type { Parts } from './parts.js';
import { bundleOf, loadPlanned, loadStanding, resolvedEffect } from './record.js';
import type { PlannedRun } from './record.js';

/** Certificates and edges take their time: until then a site that does not answer is no failure. In ms. */
const PATIENCE_MS = 10 * 60_000;
const RETRY_MS = 2_000;
/** Besides the start page, this many files are compared. */
const FURTHER_FILES = 4;
const FILE_BYTES_MAX = 1024 * 1024;

/**
 * Reads every effect of the run back and fetches the site under its own name, byte for byte.
 * @throws VERIFICATION_FAILED, OUTCOME_UNKNOWN while it may still come, OUT_OF_ORDER before every effect has succeeded
 */
export async function verify(parts: Parts, runId: RunId): Promise<StepReport> {
  const run = await loadPlanned(parts, runId);
  for (const { kind, step } of run.plan.steps)
    if (kind === 'act' && step !== 'verify-site') await verifyEffect(parts, run, step);
  const note = await verifySite(parts, run);
  await parts.db
    .transaction()
    .execute((tx) => appendLog(tx, { kind: 'verified', runId, payload: { note } }));
  return { step: 'verify-site', outcome: 'verified', spentMinor: 0, note };
}

async function verifyEffect(parts: Parts, run: PlannedRun, step: EffectStep): Promise<void> {
  const { rows } = await loadStanding(parts, run.runId);
  const row = rows.get(step);
  if (row?.state !== 'succeeded')
    throw new Failure('OUT_OF_ORDER', `${step} of ${run.runId} has not succeeded yet`);
  const effect = await resolvedEffect(parts, { run, rows }, step, { role: 'reads' });
  const seen = await readBack(parts, effect, { role: 'reads', bundle: bundleOf(parts) });
  if (seen.kind === 'found' && seen.object === row.object) return;
  const what =
    seen.kind === 'found'
      ? `another object is there: ${seen.object} instead of ${row.object ?? ''}`
      : `${row.object ?? ''} does not show${seen.kind === 'pending' ? ` yet: ${seen.why}` : ''}`;
  throw await stillComing(parts, run, `${step}: ${what}`);
}

async function verifySite(parts: Parts, run: PlannedRun): Promise<string> {
  const host = run.request.domain.name;
  const pages = pagesOf(await bundleFiles(parts.db, run.request.bundle));
  for (const { path, sha256 } of pages.length === 0 ? [{ path: '/', sha256: undefined }] : pages) {
    const url = `https://${host}${path}`;
    const answer = await asked(parts, run, url);
    if (answer.status !== 200)
      throw await stillComing(parts, run, `${url} answers ${answer.status}`);
    if (sha256 !== undefined && answer.digest !== `sha256:${sha256}`)
      throw await stillComing(
        parts,
        run,
        `${url} answers ${answer.bytes} bytes with ${answer.digest}, and sha256:${sha256} was approved`,
      );
  }
  return pages.length === 0
    ? `https://${host}/ answers; the bundle holds no start page to compare it with`
    : `https://${host}/ answers with the approved bytes (${pages.length} files compared)`;
}

async function asked(parts: Parts, run: PlannedRun, url: string): ReturnType<Parts['egress']> {
  try {
    return await parts.egress(url);
  } catch (error) {
    if (error instanceof Failure && error.code === 'OUTCOME_UNKNOWN')
      throw await stillComing(parts, run, error.message);
    throw error;
  }
}

/** The start page first; then what is served as it lies, without rewriting. */
function pagesOf(files: readonly StoredFile[]): { path: string; sha256: string | undefined }[] {
  const start = files.find(({ path }) => path === 'public/index.html');
  const further = files
    .filter(
      ({ path, bytes }) =>
        path.startsWith('public/') &&
        !/\.html?$/.test(path) &&
        !path.startsWith('public/_') &&
        bytes.length <= FILE_BYTES_MAX,
    )
    .slice(0, FURTHER_FILES)
    .map(({ path, sha256 }) => ({
      path: path.slice('public'.length).split('/').map(encodeURIComponent).join('/'),
      sha256: bare(sha256),
    }));
  return start === undefined ? [] : [{ path: '/', sha256: bare(start.sha256) }, ...further];
}

const bare = (digest: string): string => digest.replace(/^sha256:/, '');

/** Soon after the last change only a reason to look again; later a failure. */
async function stillComing(parts: Parts, run: PlannedRun, what: string): Promise<Failure> {
  const settledMs = await settledForMs(parts.db, run.runId);
  return settledMs < PATIENCE_MS
    ? new Failure('OUTCOME_UNKNOWN', what, { step: 'verify-site' }, RETRY_MS)
    : new Failure('VERIFICATION_FAILED', what, { step: 'verify-site' });
}

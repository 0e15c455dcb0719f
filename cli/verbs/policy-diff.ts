import path from 'node:path';
import { readPolicyFile } from '../../client/policy-file.js';
import { UsageError } from '../../config/errors.js';
import type { PolicyDiff } from '../../domain/policy/diff.js';
import type { Policy } from '../../domain/policy/schema.js';
import { policyInForce } from '../../gateway/policy.js';
import { policyOfRow } from '../../gateway/policy-row.js';
import { diffOverRuns } from '../../gateway/policy-diff.js';
import { listPolicies } from '../../store/policies.js';
import { ceremonyOf } from '../ceremony.js';
import type { Context } from '../context.js';
import { EXIT, type ExitCode } from '../explain.js';
import { money } from '../style.js';

/** `policy diff OLD NEW`: every recorded run decided again by both. */
export async function policyDiff(context: Context, old: string, next: string): Promise<ExitCode> {
  const db = await context.database();
  const instance = await context.instance();
  const diff = await diffOverRuns(
    { db, instance },
    { old: await named(context, old), new: await named(context, next) },
  );
  context.print(diff, linesOf(context, diff));
  return EXIT.done;
}

/** A file, `in-force`, or the number of a version. */
async function named(context: Context, name: string): Promise<Policy> {
  if (name === 'in-force')
    return (await policyInForce(await context.database(), await ceremonyOf(context))).policy;
  if (!/^[1-9]\d{0,8}$/.test(name))
    return readPolicyFile(path.resolve(context.io.cwd, name), name).policy;
  const rows = await listPolicies(await context.database());
  const row = rows.find(({ version }) => version === Number(name));
  if (row === undefined)
    throw new UsageError({
      what: `there is no policy version ${name}`,
      remedy: 'See which there were: countersign policy history',
    });
  return policyOfRow(row).policy;
}

function linesOf({ style }: Context, diff: PolicyDiff): string[] {
  const approvals = (title: string, runs: PolicyDiff['extraApprovals']): string[] =>
    runs.length === 0
      ? []
      : [
          '',
          style.bold(`${title}: ${runs.length}`),
          ...runs.map(
            (run) =>
              `  ${run.runId}: ${run.old.join(', ') || 'nobody'} -> ${run.new.join(', ') || 'nobody'}`,
          ),
        ];
  const verdicts = (title: string, runs: PolicyDiff['newlyDenied']): string[] =>
    runs.length === 0
      ? []
      : [
          '',
          style.bold(`${title}: ${runs.length}`),
          ...runs.map(
            (run) =>
              `  ${run.runId}, ${money(run.totalMinor, run.currency)}: ${run.rules.join(', ')}`,
          ),
        ];
  const changes = [
    ...verdicts('Newly denied', diff.newlyDenied),
    ...verdicts('Newly allowed (denied before by)', diff.newlyAllowed),
    ...approvals('Other or more approvals', diff.extraApprovals),
    ...approvals('Fewer approvals', diff.fewerApprovals),
  ];
  return [
    `${diff.runs} recorded runs, decided again by both.`,
    ...(changes.length === 0 ? ['Nothing changes for any of them.'] : changes),
    ...Object.entries(diff.money).flatMap(([currency, { old, new: now }]) => [
      '',
      style.bold('Money, as planned'),
      ...(
        [
          ['denied', 'deniedMinor'],
          ['agreed to by somebody', 'askedMinor'],
          ['without a person', 'unattendedMinor'],
        ] as const
      ).map(
        ([what, member]) =>
          `  ${what}: ${money(old[member], currency)} -> ${money(now[member], currency)}`,
      ),
    ]),
  ];
}

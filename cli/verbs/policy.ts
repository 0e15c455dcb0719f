import path from 'node:path';
import { signPolicy } from '../../client/decision.js';
import { readPolicyFile } from '../../client/policy-file.js';
import { UsageError } from '../../config/errors.js';
import { ruleInWords } from '../../domain/approval-rule.js';
import { activationRule } from '../../domain/policy/activation.js';
import { parseInstance } from '../../domain/ids.js';
import { policyDigestOf } from '../../domain/policy/schema.js';
import { activateSigned } from '../../gateway/activate-policy.js';
import { policyInForce } from '../../gateway/policy.js';
import { databaseNow } from '../../store/clock.js';
import { currentPolicy, listPolicies } from '../../store/policies.js';
import { ownerOf, unlock } from '../approver.js';
import type { Register } from '../cli.js';
import { ceremonyOf } from '../ceremony.js';
import type { Context } from '../context.js';
import { EXIT, type ExitCode } from '../explain.js';
import { policyLine, policyState } from '../policy-state.js';
import { visible } from '../../domain/untrusted.js';
import { table } from '../style.js';
import { policyCheck, policyExplain } from './policy-check.js';
import { policyDiff } from './policy-diff.js';

interface ActivateOptions {
  readonly key?: readonly string[];
  readonly reason: string;
}

/** `policy`: the rules. The file proposes, the database holds. */
export const registerPolicy: Register = (verbs) => {
  const policy = verbs.group('policy', 'The rules: check, put in force, look back');
  policy
    .add(
      'check <file>',
      'Checks a policy file, and plays the table beside it (NAME.tests.yaml)',
      'countersign policy check countersign.policy.yaml',
    )
    .action(policy.run((context, file: string) => Promise.resolve(policyCheck(context, file))));
  policy
    .add(
      'explain <file>',
      "Says the rules in words, for a person or an agent's system prompt",
      'countersign policy explain countersign.policy.yaml',
    )
    .action(policy.run((context, file: string) => Promise.resolve(policyExplain(context, file))));
  policy
    .add(
      'diff <old> <new>',
      'Decides every recorded run again by both; each is a file, a version, or in-force',
      'countersign policy diff in-force countersign.policy.yaml\ncountersign policy diff 3 4 --json',
    )
    .action(policy.run((context, old: string, next: string) => policyDiff(context, old, next)));
  policy
    .add(
      'activate <file>',
      'Puts a policy in force as the next version; signed by whom the policy in force asks',
      'countersign policy activate countersign.policy.yaml --reason "a second approver" --key ~/keys/ada.json\ncountersign policy activate p.yaml --reason "caps of May" --key ada.json --key bob.json',
    )
    .requiredOption('--reason <text>', 'why, for the record')
    .option('--key <file...>', 'key file; once for each person who signs')
    .action(
      policy.run((context, file: string, options: ActivateOptions) =>
        activate(context, file, options),
      ),
    );
  policy
    .add('show', 'Shows the policy in force', 'countersign policy show --json')
    .action(policy.run(show));
  policy
    .add(
      'history',
      'Lists every policy that was in force, newest first',
      'countersign policy history',
    )
    .action(policy.run(history));
  policy
    .add(
      'at <date>',
      'Shows the policy that was in force at a moment',
      'countersign policy at 2027-05-31\ncountersign policy at 2027-05-31T09:00:00.000Z',
    )
    .action(policy.run(at));
};

async function activate(
  context: Context,
  file: string,
  options: ActivateOptions,
): Promise<ExitCode> {
  const { policy } = readPolicyFile(path.resolve(context.io.cwd, file), file);
  const digest = policyDigestOf(policy);
  const keys = options.key ?? [];
  if (keys.length === 0)
    throw new UsageError({
      what: 'a policy is put in force by signature, and --key names no key file',
      remedy: `Say whose: countersign policy activate ${file} --reason TEXT --key FILE`,
    });
  const db = await context.database();
  const instance = await context.instance();
  const version = ((await currentPolicy(db))?.version ?? 0) + 1;
  const messages = [];
  const terminal = context.io.openTerminal();
  try {
    for (const keyFile of keys) {
      const { personId } = await ownerOf(context, keyFile);
      terminal.write(
        `${policy.name} (${digest}) becomes version ${version}, on the word of ${personId}.\n`,
      );
      const key = await unlock(context, terminal, keyFile);
      const when = (await databaseNow(db)).toISOString();
      messages.push(
        signPolicy(
          {
            instance,
            policyDigest: digest,
            version,
            by: personId,
            reason: options.reason,
            at: when,
          },
          key,
        ),
      );
    }
  } finally {
    terminal.close();
  }
  const answer = await activateSigned(
    { db, instance: parseInstance(instance), trust: context.trust() },
    policy,
    messages,
  );
  if (answer.activated) {
    context.print({ version: answer.version, digest, name: policy.name }, [
      `${context.style.good('In force')}: ${policy.name}, version ${answer.version}.`,
    ]);
    return EXIT.done;
  }
  context.print({ refused: answer.reason, detail: answer.detail }, [
    `${context.style.bad('Not activated')}: ${answer.reason}: ${answer.detail}.`,
    ...(await whoMay(context)),
  ]);
  return EXIT.otherwise;
}

async function whoMay(context: Context): Promise<readonly string[]> {
  const state = await policyState(context);
  if (state.fault !== undefined) return [state.fault];
  const rule = activationRule(
    (await policyInForce(await context.database(), await ceremonyOf(context))).policy,
  );
  if (rule === undefined) return [];
  const asked = ruleInWords(rule);
  return [`The policy in force asks for ${asked}. See who that is: countersign people`];
}

async function show(context: Context): Promise<ExitCode> {
  const state = await policyState(context);
  if (state.fault !== undefined) {
    context.print(state, [context.style.bad(policyLine(state))]);
    return EXIT.otherwise;
  }
  const { policy } = await policyInForce(await context.database(), await ceremonyOf(context));
  context.print({ ...state, policy }, [policyLine(state), '', JSON.stringify(policy, null, 2)]);
  return EXIT.done;
}

async function history(context: Context): Promise<ExitCode> {
  const rows = await listPolicies(await context.database());
  const { style } = context;
  const versions = rows.map((row) => ({
    version: row.version,
    digest: row.digest,
    activatedAt: row.activated_at.toISOString(),
    activatedBy: row.activated_by,
    reason: row.reason,
    statements: JSON.parse(row.statements) as unknown,
  }));
  context.print(
    { versions },
    versions.length === 0
      ? [style.bad('No policy was ever in force: everything is denied.')]
      : table(
          style,
          ['version', 'in force since', 'by', 'digest', 'reason'].map((title) => ({ title })),
          versions.map((row) => [
            String(row.version),
            row.activatedAt,
            row.activatedBy,
            `${row.digest.slice(0, 19)}…`,
            visible(row.reason),
          ]),
        ),
  );
  return EXIT.done;
}

async function at(context: Context, date: string): Promise<ExitCode> {
  const text = /^\d{4}-\d{2}-\d{2}$/.test(date) ? `${date}T23:59:59.999Z` : date;
  const moment = Date.parse(text);
  if (!Number.isFinite(moment))
    throw new UsageError({
      what: `${JSON.stringify(date.slice(0, 60))} is no moment`,
      remedy: 'Write a day like 2027-05-31, or an instant like 2027-05-31T09:00:00.000Z',
    });
  const rows = await listPolicies(await context.database());
  const row = rows.find(({ activated_at: since }) => since.getTime() <= moment);
  if (row === undefined) {
    context.print({ version: null }, [`No policy was in force at ${text}: everything was denied.`]);
    return EXIT.otherwise;
  }
  const document: unknown = JSON.parse(row.document);
  context.print(
    {
      version: row.version,
      digest: row.digest,
      since: row.activated_at.toISOString(),
      policy: document,
    },
    [
      `Version ${row.version}, in force since ${row.activated_at.toISOString()}, by ${row.activated_by}.`,
      '',
      JSON.stringify(document, null, 2),
    ],
  );
  return EXIT.done;
}

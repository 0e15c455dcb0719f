import path from 'node:path';
import { readPolicyFile } from '../../client/policy-file.js';
import { readPolicyTests, testsFileOf } from '../../client/policy-tests-file.js';
import { explainPolicy } from '../../domain/policy/explain.js';
import { lintPolicy } from '../../domain/policy/lint.js';
import { policyDigestOf } from '../../domain/policy/schema.js';
import { runPolicyTests } from '../../domain/policy/table-tests.js';
import { visible } from '../../domain/untrusted.js';
import type { Context } from '../context.js';
import { EXIT, type ExitCode } from '../explain.js';

/** `policy check`: the file is valid, and its table says what it says. Needs no stack. */
export function policyCheck(context: Context, file: string): ExitCode {
  const full = path.resolve(context.io.cwd, file);
  const { policy, at } = readPolicyFile(full, file);
  const findings = lintPolicy(policy, Date.now()).map(({ path: where, text }) => ({
    where: at(where),
    path: where.join('.'),
    text,
  }));
  const testsFile = testsFileOf(file);
  const cases = readPolicyTests(testsFileOf(full), testsFile);
  const results = runPolicyTests(policy, cases ?? []);
  const wrong = results.filter((one) => one.wrong.length > 0);
  const { style } = context;
  context.print(
    {
      file,
      name: policy.name,
      digest: policyDigestOf(policy),
      findings,
      tests: {
        file: cases === undefined ? null : testsFile,
        passed: results.length - wrong.length,
        failed: wrong,
      },
    },
    [
      `${style.good('Valid')}: ${policy.name}, ${policyDigestOf(policy)}`,
      ...findings.map(
        ({ where, path: member, text }) => `${style.warn(where)}: ${member}: ${text}`,
      ),
      cases === undefined
        ? style.dim(`No table beside it: ${testsFile} does not exist.`)
        : wrong.length === 0
          ? style.good(`All ${results.length} cases of ${testsFile} came out as expected.`)
          : style.bad(
              `${wrong.length} of ${results.length} cases of ${testsFile} came out otherwise:`,
            ),
      ...wrong.flatMap((one) => [
        `  ${visible(one.name)}`,
        ...one.wrong.map((line) => `    ${visible(line)}`),
      ]),
    ],
  );
  return wrong.length === 0 ? EXIT.done : EXIT.otherwise;
}

/** `policy explain`: the same rules as text. Needs no stack. */
export function policyExplain(context: Context, file: string): ExitCode {
  const { policy } = readPolicyFile(path.resolve(context.io.cwd, file), file);
  const text = explainPolicy(policy);
  context.print({ file, digest: policyDigestOf(policy), text }, [text]);
  return EXIT.done;
}

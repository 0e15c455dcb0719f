import { existsSync } from 'node:fs';
import { policyTestsSchema, type PolicyCase } from '../domain/policy/table-tests.js';
import { POLICY_BYTES_MAX } from '../domain/policy/schema.js';
import { pathOf, sentence, valueAt } from '../domain/request-errors.js';
import { FileRefused } from './errors.js';
import { readTextFile } from './policy-file.js';
import { parseYamlDocument } from './yaml-document.js';

/** `countersign.policy.tests.yaml` of `countersign.policy.yaml`. */
export function testsFileOf(policyFile: string): string {
  return `${policyFile.replace(/\.ya?ml$/, '')}.tests.yaml`;
}

/** The table beside a policy file; undefined when there is none. @throws FileRefused with line and column */
export function readPolicyTests(file: string, shownAs = file): PolicyCase[] | undefined {
  if (!existsSync(file)) return undefined;
  const yaml = parseYamlDocument(readTextFile(file, shownAs, POLICY_BYTES_MAX), shownAs);
  const parsed = policyTestsSchema.safeParse(yaml.value);
  if (parsed.success) return parsed.data.cases;
  const issue =
    parsed.error.issues.find(({ code }) => code === 'unrecognized_keys') ?? parsed.error.issues[0];
  if (issue === undefined)
    throw new FileRefused(yaml.at([]), 'the table is not valid', 'Correct it');
  const key = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  throw new FileRefused(
    key === undefined ? yaml.at(issue.path) : yaml.atKey(issue.path, key),
    `${pathOf(issue.path)}: ${sentence(issue, valueAt(yaml.value, issue.path))}`,
    'See docs/policy.md, "Tests beside the file"',
  );
}

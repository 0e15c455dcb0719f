import { readFileSync, statSync } from 'node:fs';
import { checkSubset } from '../domain/canonical.js';
import { closestOf } from '../domain/edit-distance.js';
import { knownMembers } from '../domain/policy/known-members.js';
import { type Policy, POLICY_BYTES_MAX, policySchema } from '../domain/policy/schema.js';
import { pathOf, sentence, valueAt } from '../domain/request-errors.js';
import { quoteWord } from '../domain/untrusted.js';
import { FileRefused } from './errors.js';
import { parseYamlDocument, YAML_LIMITS, type YamlFile } from './yaml-document.js';

/** A policy file, read: the document, and where in the file each part of it stands. */
export interface PolicyFile {
  readonly file: string;
  readonly policy: Policy;
  readonly at: YamlFile['at'];
}

/** Reads `countersign.policy.yaml`. @throws FileRefused naming file, line, column, fault and remedy */
export function readPolicyFile(file: string, shownAs = file): PolicyFile {
  return parsePolicyFile(readTextFile(file, shownAs, POLICY_BYTES_MAX), shownAs);
}

/** Reads a text file; one that is too large is refused unread. @throws FileRefused */
export function readTextFile(file: string, shownAs: string, bytesMax: number): string {
  let bytes: Buffer;
  try {
    const stat = statSync(file);
    if (!stat.isFile()) throw new FileRefused(shownAs, 'it is not a file', 'Name a YAML file');
    if (stat.size > bytesMax)
      throw new FileRefused(shownAs, `it is larger than ${bytesMax} bytes`, 'Shorten it');
    bytes = readFileSync(file);
  } catch (error) {
    if (error instanceof FileRefused) throw error;
    throw new FileRefused(shownAs, 'it cannot be read', 'Name a file that exists');
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new FileRefused(shownAs, 'it is not UTF-8 text', 'Save it as UTF-8');
  }
}

/** Parses the text of a policy file. @throws FileRefused naming file, line, column, fault and remedy */
export function parsePolicyFile(text: string, file: string): PolicyFile {
  const yaml = parseYamlDocument(text, file, { ...YAML_LIMITS, bytesMax: POLICY_BYTES_MAX });
  const parsed = policySchema.safeParse(yaml.value);
  if (!parsed.success) throw refusal(parsed.error.issues, yaml);
  const problem = checkSubset(parsed.data);
  if (problem !== undefined)
    throw new FileRefused(
      yaml.at(partsOf(problem.path)),
      saying(problem.path, problem.message),
      SEE,
    );
  return { file, policy: parsed.data, at: yaml.at };
}

type Issues = NonNullable<ReturnType<typeof policySchema.safeParse>['error']>['issues'];

const SEE = 'See docs/policy.md for what may stand here';

/** The first fault in words; the others are counted. */
function refusal(issues: Issues, yaml: YamlFile): FileRefused {
  // A word misspelled is a member that is missing too: the word says more.
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0];
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : '';
  if (issue === undefined) return new FileRefused(yaml.at([]), 'the policy is not valid', SEE);
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? '';
    const known = knownMembers(issue.path);
    const meant = closestOf(key, known);
    return new FileRefused(
      yaml.atKey(issue.path, key),
      `${saying(pathOf(issue.path), `unknown key ${quoteWord(key, 40)}`)}${more}`,
      meant === undefined
        ? `Remove it; known here: ${known.join(', ')}`
        : `Did you mean ${meant}? Else remove it; known here: ${known.join(', ')}`,
    );
  }
  const found = valueAt(yaml.value, issue.path);
  return new FileRefused(
    yaml.at(issue.path),
    `${saying(pathOf(issue.path), sentence(issue, found))}${more}`,
    found === undefined ? `Add it; ${lowerFirst(SEE)}` : SEE,
  );
}

const saying = (path: string, text: string): string =>
  `${path === '' ? 'the policy' : shortened(path)}: ${shortened(text)}`;

const SAID_MAX = 300;
const shortened = (text: string): string =>
  text.length > SAID_MAX ? `${text.slice(0, SAID_MAX)}…` : text;

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

/** `a.b[2]` as the parts of a path. */
function partsOf(path: string): (string | number)[] {
  return path
    .split(/[.[\]]/)
    .filter((part) => part !== '')
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}

import { existsSync } from 'node:fs';
import path from 'node:path';
import { FileRefused } from '../client/errors.js';
import { readPolicyFile } from '../client/policy-file.js';
import { UsageError } from '../config/errors.js';
import { Failure } from '../domain/errors.js';
import { isOverdue, overdueText } from '../domain/policy/review.js';
import { policyDigestOf } from '../domain/policy/schema.js';
import { policyInForce } from '../gateway/policy.js';
import { databaseNow } from '../store/clock.js';
import { ceremonyOf } from './ceremony.js';
import type { Context } from './context.js';

/** The name that a policy file has unless COUNTERSIGN_POLICY says otherwise. */
export const POLICY_FILE = 'countersign.policy.yaml';

/** How the policy stands: what is in force, and what the file proposes. */
export interface PolicyState {
  readonly version?: number;
  readonly digest?: string;
  readonly name?: string;
  /** Nothing valid is in force: everything is denied, and why. */
  readonly fault?: string;
  readonly overdue?: string;
  /** The policy file beside, if there is one. */
  readonly file?: { readonly path: string; readonly state: 'in-force' | 'differs' | 'invalid' };
}

/** Reads the policy in force and compares it with the file. Never throws for an invalid one: it says so. */
export async function policyState(context: Context): Promise<PolicyState> {
  const db = await context.database();
  try {
    const { version, digest, policy } = await policyInForce(db, await ceremonyOf(context));
    const overdue = isOverdue(policy, (await databaseNow(db)).getTime());
    return {
      version,
      digest,
      name: policy.name,
      ...(overdue ? { overdue: overdueText(policy) } : {}),
      ...fileState(context, digest),
    };
  } catch (error) {
    // A configuration that names no roots is a fault to show: `status` and `doctor` say it rather than end.
    const missing = error instanceof Failure && error.code === 'POLICY_MISSING';
    if (!missing && !(error instanceof UsageError)) throw error;
    return { fault: error.message, ...fileState(context, undefined) };
  }
}

function fileState(context: Context, digest: string | undefined): Pick<PolicyState, 'file'> {
  const file = context.config.policyFile ?? path.join(context.io.cwd, POLICY_FILE);
  if (!existsSync(file)) return {};
  try {
    const proposed = policyDigestOf(readPolicyFile(file).policy);
    return { file: { path: file, state: proposed === digest ? 'in-force' : 'differs' } };
  } catch (error) {
    if (!(error instanceof FileRefused)) throw error;
    return { file: { path: file, state: 'invalid' } };
  }
}

/** One line on the policy in force for status and doctor. */
export function policyLine(state: PolicyState): string {
  if (state.fault !== undefined) return `none that holds, so everything is denied: ${state.fault}`;
  const proposed = {
    'in-force': '',
    differs: `; ${state.file?.path ?? ''} differs, and changes nothing until it is activated`,
    invalid: `; ${state.file?.path ?? ''} is not valid: see countersign policy check`,
  }[state.file?.state ?? 'in-force'];
  return `version ${state.version ?? 0}, ${state.name ?? ''}, ${(state.digest ?? '').slice(0, 19)}…${
    state.overdue === undefined ? '' : `; overdue: ${state.overdue}`
  }${proposed}`;
}

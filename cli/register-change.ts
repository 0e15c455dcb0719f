import { canonicalBytes } from '../domain/canonical.js';
import { UsageError } from '../config/errors.js';
import { parseInstance } from '../domain/ids.js';
import { changeSchema, type RegisterChange } from '../domain/register-change.js';
import { changeRegister } from '../gateway/change-register.js';
import { databaseNow } from '../store/clock.js';
import { keyOption, ownerOf, unlock } from './approver.js';
import type { Context } from './context.js';
import { EXIT, Explanation } from './explain.js';
import { refusalWords } from './refusal-words.js';

/** A change whose members are well formed. @throws UsageError naming the first that is not */
function checked(change: RegisterChange): RegisterChange {
  const parsed = changeSchema.safeParse(change);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const member = issue?.path.at(-1) ?? issue?.path[0] ?? 'change';
  throw new UsageError({
    what: `${String(member)} is not of the form that it has to be`,
    remedy: `See the example: countersign ${HELP[change.kind]} --help`,
  });
}

const HELP: Readonly<Record<RegisterChange['kind'], string>> = {
  'add-person': 'people add',
  'reactivate-person': 'people reactivate',
  'link-account': 'people link',
  'add-agent': 'agents add',
  'resume-agent': 'agents resume',
  'turn-on-agent': 'agents on',
  'own-agent': 'agents own',
  'rotate-agent': 'agents rotate',
  'allow-agent': 'agents allow',
  'add-service': 'services new',
  delegate: 'delegations add',
};

/** Has a person sign a change of the register at the terminal, and makes it. @throws Explanation when it does not count */
export async function signChange(
  context: Context,
  options: { readonly key?: string },
  given: RegisterChange,
): Promise<{ readonly by: string }> {
  const change = checked(given);
  const file = keyOption(options, `countersign ${HELP[change.kind]}`);
  const { personId } = await ownerOf(context, file);
  const db = await context.database();
  const instance = parseInstance(await context.instance());
  const terminal = context.io.openTerminal();
  try {
    terminal.write(`${JSON.stringify(change)}\nis signed by ${personId}.\n`);
    const key = await unlock(context, terminal, file);
    const statement = {
      type: 'countersign.register.v1',
      instance,
      change,
      by: personId,
      keyId: key.keyId,
      at: (await databaseNow(db)).toISOString(),
    };
    const value = key.sign(canonicalBytes(statement));
    const answer = await changeRegister(
      { db, instance, trust: context.trust() },
      { ...statement, signature: { kind: 'ed25519', value } },
    );
    if (answer.changed) return { by: personId };
    throw new Explanation({
      message: `nothing was changed: ${refusalWords(answer.reason)}`,
      exitCode: EXIT.otherwise,
      code: 'REFUSED',
    });
  } finally {
    terminal.close();
  }
}

/**
 * Must this change be signed? In production always; on one person's own machine it is logged, and signed where a key is
 * named.
 */
export const mustSign = (context: Context, options: { readonly key?: string }): boolean =>
  options.key !== undefined || context.config.mode === 'production';

/** @throws UsageError: nothing of this name is there, or it is so already */
export function mustHaveChanged(changed: boolean, what: string, verb: string): void {
  if (!changed) throw new UsageError({ what, remedy: `See how it stands: countersign ${verb}` });
}

/** The text in quotes, cut short: it came from outside. */
export const quoted = (text: string): string => JSON.stringify(text.slice(0, 80));

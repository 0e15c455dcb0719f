import { randomBytes } from 'node:crypto';
import { UsageError } from '../../config/errors.js';
import { parseAmount, amountProblem } from '../../domain/money.js';
import { EFFECT_STEPS, type EffectStep } from '../../domain/steps.js';
import { databaseNow } from '../../store/clock.js';
import { listDelegations, revokeDelegation } from '../../store/delegations.js';
import type { Register } from '../cli.js';
import type { Context } from '../context.js';
import { mustHaveChanged, quoted, signChange } from '../register-change.js';
import { money, table } from '../style.js';

interface AddOptions {
  readonly agent: string;
  readonly ceiling: string;
  readonly until: string;
  readonly step: readonly string[];
  readonly key?: string;
}

/** `delegations`: what persons let agents of others do on their behalf. */
export const registerDelegations: Register = (verbs) => {
  const delegations = verbs.group(
    'delegations',
    'What a person lets the agent of somebody else do on their behalf',
  );
  delegations
    .add('list', 'Lists delegations', 'countersign delegations list')
    .action(delegations.run(list));
  delegations
    .add(
      'add',
      'Delegates to an agent; the person whose key signs is the one who delegates',
      'countersign delegations add --agent launch-agent --ceiling "60.00 USD" --until 2027-01-31 --key ~/keys/ada.json',
    )
    .requiredOption('--agent <id>', 'the agent that may act for you')
    .requiredOption('--ceiling <amount>', 'what one run’s whole plan may cost at most')
    .requiredOption('--until <day>', 'the last day (UTC), or an instant')
    .option('--step <step...>', `* or any of ${EFFECT_STEPS.join(', ')}`, ['*'])
    .option('--key <file>', 'your key file')
    .action(delegations.run(add));
  delegations
    .add(
      'revoke <id>',
      'Revokes a delegation at once; needs no signature, because it only takes away',
      'countersign delegations revoke d_00c0ffee00c0ffee',
    )
    .action(delegations.run(revoke));
};

async function list(context: Context): Promise<0> {
  const db = await context.database();
  const rows = await listDelegations(db);
  const now = await databaseNow(db);
  const { style } = context;
  const titles = ['delegation', 'person', 'agent', 'steps', 'ceiling', 'until', 'state'];
  context.print(
    { delegations: rows },
    rows.length === 0
      ? [style.dim('No delegations.')]
      : table(
          style,
          titles.map((title) => ({ title })),
          rows.map((row) => [
            row.delegation_id,
            row.person_id,
            row.agent_id,
            row.steps.join(', '),
            money(row.ceiling_minor, row.currency),
            row.until.toISOString(),
            row.revoked_at !== null
              ? style.bad('revoked')
              : row.until <= now
                ? style.bad('expired')
                : 'live',
          ]),
        ),
  );
  return 0;
}

async function add(context: Context, options: AddOptions): Promise<0> {
  const problem = amountProblem(options.ceiling);
  if (problem !== undefined)
    throw new UsageError({
      what: `--ceiling ${quoted(options.ceiling)}: ${problem}`,
      remedy: 'Write it with cents and currency: "60.00 USD"',
    });
  const { minor: ceilingMinor, currency } = parseAmount(options.ceiling);
  const until = await instantOf(context, options.until);
  const delegation = `d_${randomBytes(8).toString('hex')}`;
  const { agent } = options;
  const { by } = await signChange(context, options, {
    kind: 'delegate',
    delegation,
    agent,
    steps: options.step.map(stepOf),
    ceilingMinor,
    currency,
    until,
  });
  context.print({ delegation, person: by, agent, ceilingMinor, currency, until }, [
    `${agent} may act for ${by} up to ${money(ceilingMinor, currency)} a run until ${until} (${delegation}).`,
  ]);
  return 0;
}

function stepOf(text: string): '*' | EffectStep {
  const step = text === '*' ? text : EFFECT_STEPS.find((name) => name === text);
  if (step !== undefined) return step;
  throw new UsageError({
    what: `--step ${quoted(text)} is no step that does anything`,
    remedy: `Name any of ${EFFECT_STEPS.join(', ')}, or * for all`,
  });
}

/** A day ends with its last millisecond. @throws UsageError for no instant, or one that is past */
async function instantOf(context: Context, given: string): Promise<string> {
  const text = /^\d{4}-\d{2}-\d{2}$/.test(given) ? `${given}T23:59:59.999Z` : given;
  const at = Date.parse(text);
  const now = (await databaseNow(await context.database())).getTime();
  const whole = Number.isFinite(at) && new Date(at).toISOString() === text;
  if (whole && at > now) return text;
  throw new UsageError({
    what: `--until ${quoted(given)} is ${whole ? 'past already' : 'no day'}`,
    remedy: 'Write a day to come like 2027-01-31, or an instant like 2027-01-31T09:00:00.000Z',
  });
}

async function revoke(context: Context, delegationId: string): Promise<0> {
  const db = await context.database();
  const revoked = await db
    .transaction()
    .execute((tx) => revokeDelegation(tx, { delegationId, by: 'operator' }));
  mustHaveChanged(
    revoked,
    `there is no delegation ${quoted(delegationId)}, or it was revoked before`,
    'delegations list',
  );
  context.print({ delegation: delegationId, revoked: true }, [
    `${delegationId} is revoked: what leaned on it does nothing more.`,
  ]);
  return 0;
}

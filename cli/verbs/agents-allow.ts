import { UsageError } from '../../config/errors.js';
import { readAgents } from '../../store/admissions.js';
import { allowAgent } from '../../store/agents.js';
import type { Verbs } from '../cli.js';
import type { Context } from '../context.js';
import { environmentsOf, principalIds } from '../named.js';
import { mustHaveChanged, mustSign, quoted, signChange } from '../register-change.js';

interface AllowOptions {
  readonly key?: string;
  readonly principal: readonly string[];
  readonly environment: readonly string[];
  readonly via: readonly string[];
  readonly nothing?: boolean;
}

/** `agents allow`: what an agent may ask for by a token of its own. */
export const registerAgentsAllow = (agents: ReturnType<Verbs['group']>): void => {
  agents
    .add(
      'allow <id>',
      'Says what an agent may ask for by its own token; the lists are replaced whole',
      'countersign agents allow launch-agent --principal owner@example.com --environment staging --via outer-agent',
    )
    .option('--principal <principal...>', 'principals it may act for; * for all', [])
    .option('--environment <name...>', 'environments it may ask for; * for all', [])
    .option('--via <agent...>', 'agents that it may say it acts for', [])
    .option('--nothing', 'empties the lists; needs no signature, because it only takes away')
    .option('--key <file>', 'key file of the administrator who signs; needed in production')
    .action(agents.run(allow));
};

async function allow(context: Context, agentId: string, options: AllowOptions): Promise<0> {
  const { nothing } = options;
  const given = [...options.principal, ...options.environment, ...options.via];
  const whole = options.principal.length > 0 && options.environment.length > 0;
  if (nothing === true ? given.length > 0 : !whole)
    throw new UsageError({
      what: 'the lists are given whole: --principal and --environment, or --nothing alone',
      remedy: 'See the example: countersign agents allow --help',
    });
  const db = await context.database();
  const agents = await readAgents(db, [agentId, ...options.via]);
  const strange = [agentId, ...options.via].find((id) => !agents.has(id));
  mustHaveChanged(
    strange === undefined,
    `there is no agent ${quoted(strange ?? '')}`,
    'agents list',
  );
  const lists = {
    principals: await principalIds(context, options.principal),
    environments: environmentsOf(options.environment),
    via: [...options.via],
  };
  if (nothing !== true && mustSign(context, options))
    await signChange(context, options, { kind: 'allow-agent', agent: agentId, ...lists });
  else {
    const of = { agentId, ...lists, by: 'operator' };
    const changed = await db.transaction().execute((tx) => allowAgent(tx, of));
    mustHaveChanged(changed, `${agentId} was removed`, `agents show ${agentId}`);
  }
  context.print({ agentId, ...lists }, [
    nothing === true
      ? `${agentId} may ask for nothing by its own token.`
      : `${agentId} may ask for ${lists.environments.join(', ')} on behalf of ${lists.principals.join(', ')} by its own token.`,
  ]);
  return 0;
}

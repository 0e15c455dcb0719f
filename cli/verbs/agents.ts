import { UsageError } from '../../config/errors.js';
import { accountsOf } from '../../store/accounts.js';
import { readAgents } from '../../store/admissions.js';
import { rotateAgent, setAgentOwner, setAgentState } from '../../store/agents.js';
import { listAgents, setAgentActive } from '../../store/people.js';
import type { Row } from '../../store/schema.js';
import type { Register, Verbs } from '../cli.js';
import type { Context } from '../context.js';
import { mustHaveChanged, mustSign, quoted, signChange } from '../register-change.js';
import { registerAgent } from '../registration.js';
import { fields, table } from '../style.js';
import { registerAgentsAllow } from './agents-allow.js';

interface Keyed {
  readonly key?: string;
}

/** `agents`: who acts, who answers for it, and by which credential it asks. */
export const registerAgents: Register = (verbs) => {
  const agents = verbs.group('agents', 'Agents and the persons who answer for them');
  agents.add('list', 'Lists agents', 'countersign agents list').action(agents.run(list));
  agents
    .add('show <id>', 'Shows an agent with its credentials', 'countersign agents show launch-agent')
    .action(agents.run(show));
  agents
    .add(
      'add <id>',
      'Registers an agent with the person who answers for it',
      'countersign agents add launch-agent --owner p_ada',
    )
    .requiredOption('--owner <person>', 'register id of the owner, p_…')
    .option('--key <file>', 'key file of who signs; needed in production')
    .action(agents.run(add));
  agents
    .add('off <id>', 'Keeps an agent from starting runs', 'countersign agents off launch-agent')
    .action(agents.run((context, agentId: string) => turn(context, agentId, false)));
  agents
    .add('on <id>', 'Lets an agent start runs again', 'countersign agents on launch-agent')
    .option('--key <file>', 'key file of its owner or of an administrator; needed in production')
    .action(
      agents.run((context, agentId: string, options: Keyed) =>
        turn(context, agentId, true, options),
      ),
    );
  registerStates(agents);
  registerAgentsAllow(agents);
};

const registerStates = (agents: ReturnType<Verbs['group']>): void => {
  for (const [name, state, said] of [
    ['suspend', 'suspended', 'starts nothing, and its runs do nothing more'],
    ['remove', 'removed', 'is removed for good, and its credentials are void'],
  ] as const)
    agents
      .add(
        `${name} <id>`,
        state === 'suspended'
          ? 'Keeps an agent from everything at once; its runs are taken back'
          : 'Removes an agent for good; what it did stays on record',
        `countersign agents ${name} launch-agent --reason "strange requests"`,
      )
      .requiredOption('--reason <text>', 'why, for the record')
      .action(
        agents.run(async (context, agentId: string, { reason }: { readonly reason: string }) => {
          await found(context, agentId);
          const db = await context.database();
          const of = { agentId, state, reason, by: 'operator' };
          const changed = await db.transaction().execute((tx) => setAgentState(tx, of));
          mustHaveChanged(changed, `${agentId} is ${state} already`, `agents show ${agentId}`);
          context.print({ agentId, state }, [`${agentId} ${said}.`]);
          return 0;
        }),
      );
  agents
    .add(
      'resume <id>',
      'Lets a suspended agent act again',
      'countersign agents resume launch-agent --key ~/keys/ada.json',
    )
    .option('--key <file>', 'key file of its owner or of an administrator; needed in production')
    .action(agents.run(resume));
  agents
    .add(
      'own <id>',
      'Gives an agent another owner; the former one stays excluded from its open runs',
      'countersign agents own launch-agent --owner p_bob --key ~/keys/ada.json',
    )
    .requiredOption('--owner <person>', 'register id of the new owner, p_…')
    .option('--key <file>', 'key file of the administrator who signs; needed in production')
    .action(agents.run(own));
  agents
    .add(
      'rotate <id>',
      'Gives an agent a new credential; whatever it had is void at once',
      'countersign agents rotate launch-agent --iss https://login.example.com --sub client-2',
    )
    .requiredOption('--iss <issuer>', 'the issuer, exactly as in its tokens')
    .requiredOption('--sub <client>', 'the client id, exactly as the subject of its tokens')
    .option('--key <file>', 'key file of its owner or of an administrator; needed in production')
    .action(agents.run(rotate));
};

const unknown = (agentId: string): UsageError =>
  new UsageError({
    what: `there is no agent ${quoted(agentId)}`,
    remedy: 'See which there are: countersign agents list',
  });

async function found(context: Context, agentId: string): Promise<Row<'agents'>> {
  const row = (await readAgents(await context.database(), [agentId])).get(agentId);
  if (row === undefined) throw unknown(agentId);
  return row;
}

const stateOf = (context: Context, { active, state }: Row<'agents'>): string =>
  state !== 'active' ? context.style.bad(state) : active ? 'active' : context.style.bad('off');

async function turn(
  context: Context,
  agentId: string,
  active: boolean,
  options?: Keyed,
): Promise<0> {
  await found(context, agentId);
  if (options !== undefined && mustSign(context, options))
    await signChange(context, options, { kind: 'turn-on-agent', agent: agentId });
  else {
    const db = await context.database();
    await db.transaction().execute((tx) => setAgentActive(tx, agentId, active));
  }
  context.print({ agentId, active }, [
    `${agentId} ${active ? 'may start runs again' : 'may no longer start runs'}.`,
  ]);
  return 0;
}

async function list(context: Context): Promise<0> {
  const rows = await listAgents(await context.database());
  context.print(
    { agents: rows },
    rows.length === 0
      ? [context.style.dim('No agents.')]
      : table(
          context.style,
          [{ title: 'agent' }, { title: 'owner' }, { title: 'state' }],
          rows.map((row) => [row.agent_id, row.owner_person ?? 'nobody', stateOf(context, row)]),
        ),
  );
  return 0;
}

async function show(context: Context, agentId: string): Promise<0> {
  const agent = await found(context, agentId);
  const accounts = await accountsOf(await context.database(), { agent: agentId });
  const live = accounts.filter((account) => account.void_at === null);
  const or = (list: readonly string[]): string => (list.length === 0 ? 'none' : list.join(', '));
  context.print({ agent, accounts }, [
    context.style.bold(agentId),
    ...fields(
      context.style,
      [
        ['owner', agent.owner_person ?? 'nobody'],
        [
          'state',
          stateOf(context, agent) +
            (agent.state === 'active' || agent.state_reason === null
              ? ''
              : `: ${agent.state_reason}`),
        ],
        [
          'credentials',
          live.length === 0 ? 'none' : live.map(({ iss, sub }) => `${sub} at ${iss}`).join('; '),
        ],
        [
          'by its own token',
          agent.environments.length === 0 || agent.principals.length === 0
            ? 'nothing'
            : `${or(agent.environments)}, for ${or(agent.principals)}`,
        ],
        ['acts for', or(agent.via)],
      ],
      '  ',
    ),
  ]);
  return 0;
}

async function add(
  context: Context,
  agentId: string,
  options: Keyed & { readonly owner: string },
): Promise<0> {
  if (!/^[a-z][a-z0-9_-]{0,62}$/.test(agentId))
    throw new UsageError({
      what: `the agent id ${quoted(agentId)} is not of the form launch-agent`,
      remedy: 'Write lower-case letters, digits, _ or -, beginning with a letter',
    });
  const { owner } = options;
  if (mustSign(context, options))
    await signChange(context, options, { kind: 'add-agent', agent: agentId, owner });
  else await registerAgent(context, agentId, owner);
  context.print({ agentId, owner }, [`${agentId} may act; ${owner} answers for it.`]);
  return 0;
}

async function resume(context: Context, agentId: string, options: Keyed): Promise<0> {
  await found(context, agentId);
  if (mustSign(context, options))
    await signChange(context, options, { kind: 'resume-agent', agent: agentId });
  else {
    const db = await context.database();
    const of = { agentId, state: 'active', reason: 'resumed', by: 'operator' } as const;
    const changed = await db.transaction().execute((tx) => setAgentState(tx, of));
    mustHaveChanged(changed, `${agentId} is not suspended`, `agents show ${agentId}`);
  }
  context.print({ agentId, state: 'active' }, [`${agentId} may act again.`]);
  return 0;
}

async function own(
  context: Context,
  agentId: string,
  options: Keyed & { readonly owner: string },
): Promise<0> {
  await found(context, agentId);
  const { owner } = options;
  if (mustSign(context, options))
    await signChange(context, options, { kind: 'own-agent', agent: agentId, owner });
  else {
    const db = await context.database();
    const person = await db
      .selectFrom('persons')
      .select('person_id')
      .where('person_id', '=', owner)
      .where('active', '=', true)
      .executeTakeFirst();
    mustHaveChanged(person !== undefined, `there is no active person ${quoted(owner)}`, 'people');
    const of = { agentId, owner, by: 'operator' };
    const changed = await db.transaction().execute((tx) => setAgentOwner(tx, of));
    mustHaveChanged(changed, `${agentId} was removed`, `agents show ${agentId}`);
  }
  context.print({ agentId, owner }, [`${owner} answers for ${agentId} from now on.`]);
  return 0;
}

async function rotate(
  context: Context,
  agentId: string,
  options: Keyed & { readonly iss: string; readonly sub: string },
): Promise<0> {
  const { state } = await found(context, agentId);
  const { iss, sub } = options;
  mustHaveChanged(state !== 'removed', `${agentId} was removed`, `agents show ${agentId}`);
  if (!/^https?:\/\/[^\s]{1,500}$/.test(iss) || !/^[\x21-\x7e]{1,255}$/.test(sub))
    throw new UsageError({
      what: '--iss or --sub is not as it would stand in a token',
      remedy: 'Write them like --iss https://login.example.com --sub client-2',
    });
  if (mustSign(context, options))
    await signChange(context, options, { kind: 'rotate-agent', agent: agentId, iss, sub });
  else {
    const db = await context.database();
    const of = { agentId, iss, sub, by: 'operator' };
    const linked = await db.transaction().execute((tx) => rotateAgent(tx, of));
    const why = linked === 'taken' ? 'is, or was, somebody’s' : 'is its credential already';
    mustHaveChanged(
      linked === 'linked',
      `${quoted(sub)} at ${iss} ${why}`,
      `agents show ${agentId}`,
    );
  }
  context.print({ agentId, iss, sub }, [
    `${agentId} asks as ${sub} at ${iss} from now on, and by nothing else.`,
  ]);
  return 0;
}

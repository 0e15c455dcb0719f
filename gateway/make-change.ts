import { instantToMs } from '../domain/instant.js';
import { decodeBase64url } from '../domain/base64url.js';
import type { RegisterChange, RegisterMessage } from '../domain/register-change.js';
import { keyIdOf } from '../domain/signature.js';
import { linkAccountTo } from '../store/accounts.js';
import { readAgents } from '../store/admissions.js';
import {
  allowAgent,
  rotateAgent,
  setAgentOwner,
  setAgentState,
  setPersonActive,
} from '../store/agents.js';
import type { Executor } from '../store/connect.js';
import { addDelegation } from '../store/delegations.js';
import {
  addAgent,
  addPerson,
  addServiceKey,
  listPrincipals,
  listServiceKeys,
  setAgentActive,
} from '../store/people.js';

const unless = (good: boolean, reason: string): string | undefined => (good ? undefined : reason);

/** Does what was signed; or says why nothing was there to be done. */
export async function makeChange(
  tx: Executor,
  { by, change }: RegisterMessage,
  statement: string,
): Promise<string | undefined> {
  const missing = await nobody(tx, change);
  if (missing !== undefined) return missing;
  switch (change.kind) {
    case 'add-person':
      if ((await personOf(tx, change.person)) !== undefined) return 'taken';
      await addPerson(tx, { ...change, personId: change.person });
      return undefined;
    case 'reactivate-person': {
      const reason = `signed by ${by}`;
      const of = { personId: change.person, active: true, reason, by };
      return unless(await setPersonActive(tx, of), 'nothing-to-change');
    }
    case 'link-account': {
      const linked = await linkAccountTo(tx, { ...change, linkedBy: by, statement });
      return linked === 'linked' ? undefined : linked;
    }
    case 'add-agent':
      return unless(await addAgent(tx, { agentId: change.agent, owner: change.owner }), 'taken');
    case 'resume-agent': {
      const of = { agentId: change.agent, state: 'active', reason: `signed by ${by}`, by } as const;
      return unless(await setAgentState(tx, of), 'nothing-to-change');
    }
    case 'turn-on-agent':
      return unless(await setAgentActive(tx, change.agent, true), 'nothing-to-change');
    case 'own-agent': {
      const of = { agentId: change.agent, owner: change.owner, by };
      return unless(await setAgentOwner(tx, of), 'nothing-to-change');
    }
    case 'rotate-agent': {
      const { agent: agentId, iss, sub } = change;
      const linked = await rotateAgent(tx, { agentId, iss, sub, by, statement });
      return linked === 'linked' ? undefined : linked;
    }
    case 'allow-agent': {
      const { agent: agentId, environments, principals, via } = change;
      const of = { agentId, environments, principals, via, by };
      return unless(await allowAgent(tx, of), 'nothing-to-change');
    }
    case 'add-service':
      return unless(
        await addServiceKey(tx, {
          ...change,
          keyId: keyIdOf(decodeBase64url(change.publicKey) ?? new Uint8Array()),
        }),
        'taken',
      );
    case 'delegate':
      return unless(
        await addDelegation(tx, {
          ...change,
          delegationId: change.delegation,
          person: by,
          until: new Date(instantToMs(change.until) ?? 0),
          statement,
        }),
        'taken',
      );
  }
}

const personOf = (tx: Executor, person: string): Promise<{ active: boolean } | undefined> =>
  tx.selectFrom('persons').select('active').where('person_id', '=', person).executeTakeFirst();

/** Whom the change names and the register does not know. */
async function nobody(tx: Executor, change: RegisterChange): Promise<string | undefined> {
  const of = namedIn(change);
  for (const person of of.persons ?? [])
    if ((await personOf(tx, person))?.active !== true) return 'person-unknown';
  const agents = await readAgents(tx, of.agents ?? []);
  for (const agent of of.agents ?? [])
    if ((agents.get(agent)?.state ?? 'removed') === 'removed') return 'agent-unknown';
  const principals = (await listPrincipals(tx)).map((row) => row.principal_id);
  if (of.principals?.some((id) => !principals.includes(id)) === true) return 'principal-unknown';
  const services = (await listServiceKeys(tx)).map((row) => row.service_id);
  if (of.services?.some((id) => !services.includes(id)) === true) return 'service-unknown';
  return undefined;
}

interface Named {
  readonly persons?: readonly string[];
  readonly agents?: readonly string[];
  readonly principals?: readonly string[];
  readonly services?: readonly string[];
}

/** Whom a change needs to be there already. */
function namedIn(change: RegisterChange): Named {
  const ids = (list: readonly string[]): readonly string[] => list.filter((id) => id !== '*');
  switch (change.kind) {
    case 'add-person':
    case 'reactivate-person':
      return {};
    case 'link-account':
      if ('person' in change.holder) return { persons: [change.holder.person] };
      return 'agent' in change.holder
        ? { agents: [change.holder.agent] }
        : { services: [change.holder.service] };
    case 'add-agent':
      return { persons: [change.owner] };
    case 'own-agent':
      return { persons: [change.owner], agents: [change.agent] };
    case 'allow-agent':
      return { agents: [change.agent, ...change.via], principals: ids(change.principals) };
    case 'add-service':
      return { agents: ids(change.agents), principals: ids(change.principals) };
    case 'resume-agent':
    case 'turn-on-agent':
    case 'rotate-agent':
    case 'delegate':
      return { agents: [change.agent] };
  }
}

import { randomBytes } from 'node:crypto';
import { UsageError } from '../config/errors.js';
import { addAgent, addPrincipal, listPeople, listPrincipals } from '../store/people.js';
import type { Context } from './context.js';

/** @throws UsageError when the owner is unknown or the id is taken */
export async function registerAgent(
  context: Context,
  agentId: string,
  owner: string,
): Promise<void> {
  const db = await context.database();
  const known = await listPeople(db);
  if (!known.some(({ person }) => person.person_id === owner))
    throw new UsageError({
      what: `there is no person ${JSON.stringify(owner.slice(0, 80))}`,
      remedy: 'See who there is: countersign people',
    });
  const added = await db.transaction().execute((tx) => addAgent(tx, { agentId, owner }));
  if (!added)
    throw new UsageError({
      what: `the agent ${agentId} is registered already`,
      remedy: 'See: countersign agents list',
    });
}

/** @throws UsageError when the address is malformed or registered */
export async function registerPrincipal(
  context: Context,
  email: string,
  { name = email, person }: { readonly name?: string; readonly person?: string } = {},
): Promise<string> {
  if (!/^[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,190}\.[A-Za-z]{2,63}$/.test(email))
    throw new UsageError({
      what: `${JSON.stringify(email.slice(0, 80))} is no e-mail address`,
      remedy: 'Write it as owner@example.com',
    });
  const db = await context.database();
  const rows = await listPrincipals(db);
  const taken = rows.find((row) => row.email === email.toLowerCase());
  if (taken !== undefined)
    throw new UsageError({
      what: `${email} is registered already, as ${taken.principal_id}`,
      remedy: 'See: countersign principals list',
    });
  const principalId = `pr_${randomBytes(5).toString('hex')}`;
  const known = await listPeople(db);
  if (person !== undefined && !known.some((one) => one.person.person_id === person))
    throw new UsageError({
      what: `there is no person ${JSON.stringify(person.slice(0, 80))}`,
      remedy: 'See who there is: countersign people',
    });
  const named = { principalId, name, email, ...(person === undefined ? {} : { person }) };
  await db.transaction().execute((tx) => addPrincipal(tx, named));
  return principalId;
}

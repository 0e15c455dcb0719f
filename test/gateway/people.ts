import { randomBytes } from 'node:crypto';
import { encodeBase64url } from '../../domain/base64url.js';
import { keyIdOf, publicKeyOf } from '../../domain/signature.js';
import { databaseNow } from '../../store/clock.js';
import type { Database } from '../../store/connect.js';
import { plantPerson, plantSeed } from '../helpers/register.js';

export interface Signer {
  readonly person: string;
  readonly seed: Uint8Array;
  readonly keyId: string;
}

export const signer = (person: string): Signer => {
  const seed = randomBytes(32);
  return { person, seed, keyId: keyIdOf(publicKeyOf(seed)) };
};

export interface Enrolled {
  readonly ada: Signer;
  readonly bob: Signer;
  readonly owner: Signer;
  readonly service: { readonly seed: Uint8Array; readonly keyId: string };
}

/** Three persons with keys, the owner's agent, one principal, and a service key that speaks for them. */
export async function enrolled(db: Database): Promise<Enrolled> {
  const people = [signer('p_ada'), signer('p_bob'), signer('p_owner')] as const;
  for (const one of people) {
    await plantPerson(db, one.person);
    await plantSeed(db, one);
  }
  const service = signer('s_local');
  const now = await databaseNow(db);
  await db
    .insertInto('agents')
    .values({ agent_id: 'launch-agent', owner_person: 'p_owner', created_at: now })
    .execute();
  await db
    .insertInto('principals')
    .values({
      principal_id: 'pr_owner',
      name: 'Owner',
      email: 'owner@example.com',
      created_at: now,
    })
    .execute();
  await db
    .insertInto('service_keys')
    .values({
      key_id: service.keyId,
      service_id: 's_local',
      public_key: encodeBase64url(publicKeyOf(service.seed)),
      agents: ['launch-agent'],
      principals: ['pr_owner'],
      environments: ['development', 'production'],
      created_at: now,
      revoked_at: null,
    })
    .execute();
  const [ada, bob, owner] = people;
  return { ada, bob, owner, service };
}

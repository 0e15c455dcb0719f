import { sql } from 'kysely';
import type { SigningKey } from '../../client/keys.js';
import { canonicalBytes } from '../../domain/canonical.js';
import { databaseNow } from '../../store/clock.js';
import type { Database } from '../../store/connect.js';
import { Authenticator } from '../helpers/authenticator.js';
import { plantKey } from '../helpers/register.js';
import { hollowKey, newKey } from './ground.js';

/** A person of the register and one key of theirs. */
export interface Member {
  readonly person: string;
  readonly key: SigningKey;
}

/** Everybody whom the table has sign something, each wrong in one way but `fay`, who may. */
export interface Cast {
  readonly fay: Member;
  /** Has approved the open gate already. */
  readonly gus: Member;
  readonly gusAgain: Member;
  /** Has approved the open gate and withdrawn. */
  readonly hal: Member;
  readonly owner: Member;
  readonly former: Member;
  readonly payer: Member;
  readonly self: Member;
  readonly nobody: Member;
  readonly gone: Member;
  readonly robot: Member;
  readonly revoked: Member;
  readonly early: Member;
  readonly hollow: Member;
  readonly stranger: SigningKey;
  readonly passkey: Authenticator;
}

const PERSONS = ['fay', 'gus', 'hal', 'former', 'payer', 'self', 'nobody', 'gone', 'robot'];
const FAR = new Date('2099-01-01T00:00:00.000Z');
/** The counter of the passkey as the register has it. */
export const COUNTER = 6;

/** Writes the whole cast into a register, as its owner would plant it: keys by no ceremony. */
export async function plant(
  db: Database,
  of: { readonly owner: string; readonly agent: string },
): Promise<Cast> {
  const now = await databaseNow(db);
  for (const name of PERSONS)
    await db
      .insertInto('persons')
      .values({
        person_id: `p_${name}`,
        name,
        kind: name === 'robot' ? 'service' : 'human',
        groups: name === 'nobody' ? [] : ['approvers'],
        active: name !== 'gone',
        created_at: now,
      })
      .onConflict((one) => one.doNothing())
      .execute();
  const enrol = async (person: string, key: SigningKey, more: object = {}): Promise<Member> => {
    await plantKey(db, { person, keyId: key.keyId, publicKey: key.publicKey, more });
    return { person, key };
  };
  const member = (person: string, more: object = {}) => enrol(person, newKey(), more);
  await db
    .insertInto('agent_owners')
    .values({ agent_id: of.agent, person_id: 'p_former', since: now, until: FAR })
    .execute();
  await sql`update principals set person_id = 'p_payer'`.execute(db);
  await db
    .insertInto('delegations')
    .values({
      ...{
        delegation_id: 'd_0000000000000001',
        person_id: 'p_payer',
        agent_id: of.agent,
        steps: ['*'],
      },
      ...{ ceiling_minor: 900_000, currency: 'USD', until: FAR, statement: '{}', given_at: now },
      ...{ revoked_at: null, revoked_by: null },
    })
    .execute();
  const passkey = new Authenticator();
  await enrol(
    'p_fay',
    { ...newKey(), keyId: passkey.keyId, publicKey: passkey.publicKey },
    {
      algorithm: 'ES256',
      ...{ credential_id: passkey.credentialId, rp_id: 'localhost', handle: passkey.handle },
      ...{ counter: COUNTER, backup_eligible: false },
    },
  );
  return {
    fay: await member('p_fay'),
    gus: await member('p_gus'),
    gusAgain: await member('p_gus'),
    hal: await member('p_hal'),
    owner: await member(of.owner),
    former: await member('p_former'),
    payer: await member('p_payer'),
    self: await member('p_self'),
    nobody: await member('p_nobody'),
    gone: await member('p_gone'),
    robot: await member('p_robot'),
    revoked: await member('p_fay', {
      revoked_at: now,
      revoked_as: 'compromised',
      compromised_since: now,
    }),
    early: await member('p_fay', { active_from: FAR }),
    hollow: await enrol('p_fay', hollowKey()),
    stranger: newKey(),
    passkey,
  };
}

/** Makes a person the one who asked for the run: no road writes this, for an admission is written once. */
export async function askedBy(db: Database, runId: string, person: string): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await sql`set local session_replication_role = replica`.execute(tx);
    await sql`update runs set requester = ${person} where run_id = ${runId}`.execute(tx);
  });
}

export const signedBy = (key: SigningKey, statement: object): object => ({
  ...statement,
  signature: { kind: 'ed25519', value: key.sign(canonicalBytes(statement)) },
});

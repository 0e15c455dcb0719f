import { z } from 'zod';
import { readMembers } from '../core/provider.js';
import type { PersonAction } from '../core/provider.js';
import type { IssuerStore } from './store.js';

const id = z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/, 'use a-z, 0-9, _ or -, at most 63');
const verb = { do: z.string() };

const personSchema = z.strictObject({
  ...verb,
  sub: id,
  name: z.string().min(1).max(200).optional(),
  email: z.email().optional(),
  emailVerified: z.boolean().default(true),
  groups: z.array(z.string().max(100)).max(1_000).default([]),
});

/** What an administrator of the issuer would do; `rotated` is called when the keys have changed. */
export function issuerPeople(
  store: IssuerStore,
  rotated: () => void,
): Readonly<Record<string, PersonAction>> {
  return {
    'issuer-person': (_world, body) => {
      const { sub, name, email, emailVerified, groups } = readMembers(personSchema, body);
      const person = store.putPerson({
        sub,
        name: name ?? sub,
        email: email ?? `${sub}@example.com`,
        emailVerified,
        groups,
      });
      return { sub, password: person.password };
    },
    'issuer-person-leaves': (_world, body) => {
      const { sub } = readMembers(z.strictObject({ ...verb, sub: id }), body);
      return { sub, left: store.removePerson(sub) };
    },
    'issuer-client': (_world, body) => {
      const { clientId } = readMembers(z.strictObject({ ...verb, clientId: id }), body);
      return { clientId, secret: store.putClient(clientId).secret };
    },
    'issuer-rotate-keys': (_world, body) => {
      const { drop } = readMembers(
        z.strictObject({ ...verb, drop: z.boolean().default(false) }),
        body,
      );
      const kid = store.rotateKeys({ drop });
      rotated();
      return { kid };
    },
  };
}

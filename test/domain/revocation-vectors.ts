import { canonicalize } from '../../domain/canonical.js';
import { keyIdOf, publicKeyOf, signStatement } from '../../domain/signature.js';
import { BENT_ID, constant, facts, type Json, seedOf } from './decision-facts.js';
import { byAlicesPasskey, passkeys, relyingParty } from './webauthn-vectors.js';

/** Builds `test/vectors/revocations.json`: who may end whose key, by the same persons and keys as decisions.json. */

interface Case {
  readonly name: string;
  readonly message: string;
  readonly expect: string;
}

const idOf = (name: string): string => keyIdOf(publicKeyOf(seedOf(name)));

const statement = (changes: Json = {}): Json =>
  Object.fromEntries(
    Object.entries<unknown>({
      type: 'countersign.revoke.v1',
      instance: facts.instance,
      revokes: idOf('carol'),
      as: 'retired',
      by: 'p_alice',
      keyId: idOf('alice'),
      reason: 'laptop lost, Zürich',
      at: '2026-11-21T09:05:00.000Z',
      ...changes,
    }).filter(([, value]) => value !== undefined),
  );

function signed(changes: Json = {}, by = 'alice'): string {
  const of = statement({ keyId: idOf(by), by: `p_${by.replace(/-.*/, '')}`, ...changes });
  return canonicalize({ ...of, signature: signStatement(of, seedOf(by)) });
}

const good = (name: string, message: string): Case => ({ name, message, expect: 'accepted' });
const bad = (expect: string, name: string, message: string): Case => ({ name, message, expect });
const text = signed();
const lost = { as: 'compromised' };

const cases: readonly Case[] = [
  good('an administrator ends another person’s key', text),
  good('a person ends a key of theirs', signed({ revokes: idOf('bob') }, 'bob')),
  good('a key ends itself', signed({ revokes: idOf('carol') }, 'carol')),
  good('as compromised, ever', signed(lost)),
  good('as compromised, since', signed({ ...lost, since: '2026-11-20T00:00:00.000Z' })),
  good('a key that is not active yet', signed({ revokes: idOf('alice-new') })),
  good('a row whose key is not the one that its id names', signed({ revokes: BENT_ID })),
  good('a pinned root ends any key', signed({ revokes: idOf('alice') }, 'root')),
  good('signed long ago: a key ends once', signed({ at: '2020-01-01T00:00:00.000Z' })),
  good('by a passkey', byAlicesPasskey(statement())),
  bad('too-large', 'more than 16 KiB', text.replace('{', `{"a":"${'x'.repeat(16_384)}",`)),
  bad('malformed', 'an added member', signed({ note: 'x' })),
  bad('malformed', 'without a reason', signed({ reason: undefined })),
  bad('malformed', 'neither retired nor compromised', signed({ as: 'lost' })),
  bad('malformed', 'a retired key with a moment', signed({ since: '2026-11-20T00:00:00.000Z' })),
  bad(
    'malformed',
    'compromised since a moment after the statement',
    signed({ ...lost, since: '2026-11-21T09:05:00.001Z' }),
  ),
  bad('not-canonical', 'white space', text.replace(',"', ', "')),
  bad('type-mismatch', 'a decision', signed({ type: 'countersign.decision.v1' })),
  bad('type-mismatch', 'an enrolment', signed({ type: 'countersign.enrol.v1' })),
  bad('unsigned', 'unsigned', canonicalize(statement())),
  bad('instance-mismatch', 'another installation', signed({ instance: '0'.repeat(32) })),
  bad('key-unknown', 'a key that is not in the register', signed({}, 'alice-foreign')),
  bad('key-revoked', 'signed with a revoked key', signed({}, 'alice-revoked')),
  bad('key-not-yet-active', 'signed with a key that does not count yet', signed({}, 'alice-new')),
  bad('key-not-of-approver', 'another person’s key', signed({ by: 'p_bob' })),
  bad(
    'signature-bad',
    'R = identity and S = 0',
    canonicalize({
      ...statement(),
      signature: { kind: 'ed25519', value: Buffer.from(constant).toString('base64url') },
    }),
  ),
  bad(
    'signature-bad',
    'another key is named after signing',
    text.replace(idOf('carol'), idOf('bob')),
  ),
  bad(
    'signature-bad',
    'retired turned into compromised after signing',
    text.replace('"as":"retired"', '"as":"compromised"'),
  ),
  bad(
    'webauthn-counter',
    'a passkey whose counter stays',
    byAlicesPasskey(statement(), { counter: 6 }),
  ),
  bad(
    'webauthn-user-verification',
    'a passkey with nobody verified',
    byAlicesPasskey(statement(), { flags: 0x01 }),
  ),
  bad('not-human', 'a person who has left', signed({}, 'gone')),
  bad('not-human', 'a service account', signed({}, 'robot')),
  bad(
    'not-in-group',
    'another person’s key, by nobody who administers',
    signed({ revokes: idOf('bob') }, 'carol'),
  ),
  bad('clock-skew', 'signed in the future', signed({ at: '2026-11-21T09:08:00.001Z' })),
  bad('nothing-to-revoke', 'a key that nobody has', signed({ revokes: 'B'.repeat(43) })),
  bad('revoked-already', 'a key that has ended', signed({ revokes: idOf('alice-revoked') })),
  bad(
    'revoked-already',
    'a key that was retired, once more',
    signed({ revokes: idOf('alice-retired') }),
  ),
  bad(
    'revoked-already',
    'a key that was lost, and is to be lost once more',
    signed({ ...lost, revokes: idOf('alice-revoked') }),
  ),
  good(
    'a key that was retired turns out to have been lost',
    signed({ ...lost, revokes: idOf('alice-retired') }),
  ),
];

export const vectors = {
  about: 'revocations',
  note: 'test keys only; never enrol. Each message is the text that is received; `expect` is `accepted` or the reason to log.',
  facts: {
    instance: facts.instance,
    policy: { groups: facts.policy.groups },
    administrators: ['finance'],
    rootKeys: [idOf('root')],
    nowMs: facts.nowMs,
    relyingParty,
    persons: [...facts.persons, { person: 'p_root', active: true, kind: 'human', groups: [] }],
    keys: [
      ...facts.keys,
      ...passkeys,
      {
        keyId: idOf('alice-retired'),
        person: 'p_alice',
        publicKey: Buffer.from(publicKeyOf(seedOf('alice-retired'))).toString('base64url'),
        activeFromMs: facts.keys[0]?.['activeFromMs'],
        revoked: true,
        retiredAtMs: facts.nowMs - 1_000,
      },
      {
        keyId: idOf('root'),
        person: 'p_root',
        publicKey: Buffer.from(publicKeyOf(seedOf('root'))).toString('base64url'),
        activeFromMs: facts.keys[0]?.['activeFromMs'],
        revoked: false,
      },
    ],
  },
  cases,
};

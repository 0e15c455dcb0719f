/** Why a signed order or decision did not count, in words for whoever signed it. */
const WORDS: Readonly<Record<string, string>> = {
  'key-unknown': 'this key is not enrolled here',
  'key-revoked': 'this key was revoked',
  'key-not-yet-active': 'this key counts only from a later moment on',
  'key-not-of-approver': 'this key belongs to somebody else',
  'signature-bad': 'the signature does not fit what was sent',
  'not-human': 'only an active person may decide',
  'not-in-group': 'you are in none of the groups that the policy names for it',
  'excluded-requester': 'whoever asked for a run does not approve it',
  'excluded-agent': 'an agent approves nothing',
  'excluded-owner': 'whoever answers for the agent does not approve what it asks for',
  'excluded-principal': 'whoever the run is for does not approve it',
  'person-already-counted': 'your approval of this gate is on record already',
  'nothing-to-withdraw': 'no approval of yours stands at this gate',
  'already-used': 'an effect has used this approval: what is left can be stopped, not unsaid',
  withdrawn: 'it was signed before you withdrew',
  'own-key': 'nobody admits a key of their own',
  'key-known': 'this key is enrolled or waits already: one key, one person, for ever',
  'key-unsound': 'this is no key that signatures may be checked with',
  'webauthn-counter': 'the passkey’s counter stepped back: it may have been copied',
  'gate-unknown': 'there is no such gate',
  'gate-closed': 'this gate is not open any more',
  'gate-expired': 'this gate has expired',
  'digest-mismatch': 'the gate shows something else than what was signed',
  'clock-skew': 'the time in the statement is too far from the database’s clock',
  'instance-mismatch': 'it was signed for another installation',
  'run-mismatch': 'it was signed for another run',
  'not-done': 'the provider was asked, and still shows it as it was',
  'nothing-to-resolve': 'this step has nothing that could be resolved in this way',
  'nothing-to-lift': 'no stop is in force over exactly this',
  'break-glass-not-allowed':
    'the policy does not let you pass this gate alone, here and for these steps',
  'break-glass-too-long': 'that is longer than the policy lets it last',
  'break-glass-expired': 'its time is over',
  'break-glass-passkey': 'in production only a passkey breaks the glass, no key file',
  'break-glass-review-open':
    'somebody else has to review the last break-glass first (countersign cases)',
  'case-unknown': 'there is no such case',
  'case-closed': 'this case is closed already',
  'case-mismatch': 'the case is of another kind than what was signed',
  'excluded-subject': 'whoever a case is about does not close it',
  'not-for-oneself': 'another administrator has to sign this, not the person whom it is about',
  'used-already': 'this statement was used before, and counts once',
  taken: 'it is registered already, or was somebody else’s',
  'linked-already': 'it is linked already',
  'person-unknown': 'there is no such active person',
  'agent-unknown': 'there is no such agent, or it was removed',
  'principal-unknown': 'there is no such principal',
  'service-unknown': 'there is no such service',
  'nothing-to-change': 'it is so already',
  'still-stopped': 'a wider stop covers this run: lift that one first',
};

/** `not-in-group (you are in none …)`, or the reason alone where there is no more to say. */
export function refusalWords(reason: string): string {
  const words = WORDS[reason];
  return words === undefined ? reason : `${words} (${reason})`;
}

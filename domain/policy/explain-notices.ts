import { escalationPercentOf, reminderPercentOf } from './notices.js';
import type { Policy } from './schema.js';

/** The part of `explainPolicy` about gates that wait, about notices and about break-glass. */
export function explainNotices(policy: Policy): string[] {
  const { breakGlass = [], escalation, notices = [] } = policy;
  const note = escalation?.note === undefined ? '' : ` (${escalation.note})`;
  const further =
    escalation === undefined ? '' : `, which tells ${escalation.to.join(', ')} too${note}`;
  return [
    `- Those who are asked are reminded after ${reminderPercentOf(policy)} % of that time; after ${escalationPercentOf(policy)} % it is escalated${further}. Neither lets anybody else approve.`,
    notices.length === 0
      ? '- Notices are sent nowhere.'
      : '- Notices hold ids and amounts only, and approve nothing. They are sent:',
    ...notices.map(
      ({ name, to, format, kinds, secret, pathSecret }) =>
        `  - ${name}: to ${to} as ${format}, of ${kinds.includes('*') ? `every kind (${kinds.join(', ')})` : kinds.join(', ')}; signed with the secret ${secret}${pathSecret === undefined ? '' : `, the rest of the address from the secret ${pathSecret}`}.`,
    ),
    breakGlass.length === 0
      ? '- Nobody may break the glass: every gate needs its whole rule.'
      : '- Break-glass (a gate passed by one named person alone, with a reason, for one run; never past a cap, a stop or a denial; never by those who are excluded; reviewed by somebody else before it may happen again):',
    ...breakGlass.map(
      ({ person, maxMinutes, environments, steps }) =>
        `  - ${person}, for at most ${maxMinutes} minutes, in ${environments.join(', ')}, for ${steps.map((step) => (step === '*' ? 'every step' : step)).join(', ')}.`,
    ),
  ];
}

import { formatAmount } from './money.js';
import { isNoticeKind, NOTICE_TITLES } from './notices.js';
import { overdueText } from './policy/review.js';
import { wordsProblem } from './untrusted.js';

/**
 * Notices in words. They are made of register ids, amounts and instants alone: an agent's words, a person's reason, an
 * address or a secret has no way in, whatever a payload holds. A notice asks somebody to look; it never decides.
 */

/** A notice as the outbox has it. */
export interface NoticeRow {
  readonly kind: string;
  readonly runId?: string;
  /** When the thing happened, by the database's clock. */
  readonly at: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

type Fact = number | boolean | string | readonly Fact[] | { readonly [name: string]: Fact };
export type Facts = Readonly<Record<string, Fact>>;

export interface NoticeWords {
  readonly title: string;
  readonly lines: readonly string[];
  /** The command that shows the thing or decides it, for whoever has the command line. */
  readonly command?: string;
}

/** Members whose text may leave: ids, names of our own lists, instants. Numbers may leave under any name. */
const TEXTS = new Set([
  ...['gateId', 'gate', 'environment', 'requester', 'agent', 'owner', 'currency', 'steps', 'step'],
  ...['asked', 'group', 'expiresAt', 'by', 'to', 'kind', 'severity', 'effect', 'scope', 'mode'],
  ...['at', 'since', 'until', 'person', 'keyId', 'statement', 'provider', 'service', 'code'],
  ...[
    'policyNote',
    'target',
    'layer',
    'anomaly',
    'account',
    'plan',
    'month',
    'day',
    'cap',
    'runId',
    'reviewBy',
    'reviewers',
  ],
]);
/** Forms of ids, names and instants: nothing that could be a sentence or an address. */
const ID = /^[A-Za-z0-9_][A-Za-z0-9_.:/*-]{0,160}$/;
/** Beginnings of credentials, in case one was taken for an id. */
const SECRET =
  /(?:^|[^A-Za-z0-9])(?:sk|rk|pk)_(?:live|test)_|whsec_|(?:^|[^a-z])cf_[a-z]+_|gh[opsu]_/;
const DEPTH_MAX = 4;

/** What of a payload may leave. Anything else is left out, silently: a notice is no place for it. */
export function factsOf(payload: Readonly<Record<string, unknown>>): Facts {
  return objectOf(payload, 0);
}

function objectOf(value: object, depth: number): Facts {
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, member]) => {
      const fact = ID.test(name) ? factOf(name, member, depth) : undefined;
      return fact === undefined ? [] : [[name, fact] as const];
    }),
  );
}

function factOf(name: string, value: unknown, depth: number): Fact | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : undefined;
  if (typeof value === 'boolean') return value;
  if (typeof value === 'string') return textOf(name, value);
  if (typeof value !== 'object' || value === null || depth >= DEPTH_MAX) return undefined;
  if (!Array.isArray(value)) return objectOf(value, depth + 1);
  return value.flatMap((item: unknown) => factOf(name, item, depth + 1) ?? []);
}

function textOf(name: string, text: string): string | undefined {
  // The policy's own words were checked where the policy was read.
  if (name === 'policyNote')
    return wordsProblem(text, { charactersMax: 80, linesMax: 1 }) === undefined ? text : undefined;
  return TEXTS.has(name) && ID.test(text) && !SECRET.test(text) ? text : undefined;
}

/** What a person reads, whatever the kind: a known one in its own words, another by its name. */
export function wordsOf(notice: NoticeRow): NoticeWords {
  const facts = factsOf(notice.payload);
  const title = isNoticeKind(notice.kind) ? NOTICE_TITLES[notice.kind] : notice.kind;
  const about = { notice, facts };
  if (notice.kind.startsWith('gate-') || notice.kind === 'break-glass')
    return { title, ...gateWords(about) };
  return { title, ...otherWords(about) };
}

interface About {
  readonly notice: NoticeRow;
  readonly facts: Facts;
}

const text = (fact: Fact | undefined): string | undefined =>
  typeof fact === 'string' ? fact : undefined;
const joined = (fact: Fact | undefined): string | undefined =>
  Array.isArray(fact) && fact.length > 0 ? fact.map(String).join(', ') : undefined;

/** Kinds after which a decision is still wanted. */
const WAITS = new Set(['gate-opened', 'gate-reminder', 'gate-escalated']);

function gateWords({ notice, facts }: About): Omit<NoticeWords, 'title'> {
  const { kind, runId = 'unknown' } = notice;
  const gate = text(facts['gate']) ?? 'unknown';
  const waits = WAITS.has(kind);
  const expires = text(facts['expiresAt']);
  return {
    lines: [
      `Run ${runId}, gate ${gate} (revision ${shown(facts['revision'] ?? '?')}), ${text(facts['environment']) ?? 'environment unknown'}.`,
      ...who(facts),
      ...cost(facts),
      ...(waits && expires !== undefined
        ? [`It ends at ${expires}; silence is a no.`, ...deciders(facts)]
        : []),
      ...(waits ? overdue(facts) : []),
      ...(kind === 'gate-escalated' ? escalated(facts) : []),
      ...decided(kind, facts),
      ...(waits
        ? [
            'Read the card and decide there, with your own key. Neither this message nor its link approves anything.',
          ]
        : []),
    ],
    command: waits
      ? `countersign approve ${runId} --gate ${gate} --key FILE`
      : `countersign show ${runId}`,
  };
}

function who(facts: Facts): string[] {
  const requester = text(facts['requester']);
  if (requester === undefined) return [];
  return [
    `Asked for by ${requester} through the agent ${text(facts['agent']) ?? 'unknown'}, for which ${text(facts['owner']) ?? 'nobody'} answers.`,
  ];
}

function cost(facts: Facts): string[] {
  const { totalMaxMinor, currency, steps } = facts;
  if (typeof totalMaxMinor !== 'number' || typeof currency !== 'string') return [];
  const what = joined(steps);
  return [
    `It may cost ${formatAmount({ minor: totalMaxMinor, currency })} at most${what === undefined ? '' : `, for ${what}`}.`,
  ];
}

function deciders(facts: Facts): string[] {
  const { asked } = facts;
  if (!Array.isArray(asked)) return [];
  const groups = asked.flatMap((one: Fact) => {
    const { group, count } = one as Readonly<Record<string, Fact | undefined>>;
    return typeof group === 'string' && typeof count === 'number' ? [`${count} of ${group}`] : [];
  });
  return groups.length === 0 ? [] : [`Who decides: ${groups.join(' and ')}.`];
}

function overdue({ reviewBy, reviewers }: Facts): string[] {
  if (typeof reviewBy !== 'string') return [];
  const owners = Array.isArray(reviewers) ? reviewers.map(String) : [];
  return [`Overdue: ${overdueText({ reviewBy, owners })}.`];
}

function escalated(facts: Facts): string[] {
  const told = joined(facts['to']);
  const note = text(facts['policyNote']);
  return [
    ...(told === undefined
      ? []
      : [`Told because the policy names them: ${told}. Who may decide stays as it is.`]),
    ...(note === undefined ? [] : [`The policy says: ${note}`]),
  ];
}

function decided(kind: string, facts: Facts): string[] {
  const by = text(facts['by']);
  const until = text(facts['until']);
  if (kind === 'break-glass')
    return [
      `${by ?? 'Somebody'} passed this gate alone, by the break-glass rule of the policy${until === undefined ? '' : `, until ${until}`}. Their reason is in the record.`,
      `Somebody else has to review it${facts['case'] === undefined ? '' : ` (case ${shown(facts['case'])})`}; until then nobody can break the glass for another run.`,
    ];
  if (kind === 'gate-granted' && by !== undefined) return [`The last word was ${by}'s.`];
  if (kind === 'gate-rejected' && by !== undefined) return [`Rejected by ${by}.`];
  if (kind === 'gate-expired') return ['The run takes back what it has done.'];
  if (kind === 'gate-void') return ['What it showed no longer holds, or a stop covers the run.'];
  return [];
}

/** Every fact on a line: whoever adds a kind need not add words before it can be read. */
function otherWords({ notice, facts }: About): Omit<NoticeWords, 'title'> {
  const { runId } = notice;
  const number = facts['case'];
  const lines = Object.entries(facts).map(([name, fact]) => `${name}: ${shown(fact)}`);
  const command =
    typeof number === 'number'
      ? `countersign cases show ${number}`
      : runId === undefined
        ? 'countersign status'
        : `countersign why ${runId}`;
  return {
    lines: [...(runId === undefined ? [] : [`Run ${runId}.`]), ...lines],
    command,
  };
}

const shown = (fact: Fact): string =>
  typeof fact === 'object' ? JSON.stringify(fact).replaceAll('"', '') : String(fact);

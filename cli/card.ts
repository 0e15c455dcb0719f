import type { CardDocument, GateDocument } from '../domain/documents.js';
import { visible, wordsForTerminal } from '../domain/untrusted.js';
import { duration, fields, money, pad, table, wrap, type Style } from './style.js';

/** What is shown beside the two documents: digests that this process computed itself, and the time that is left. */
export interface CardFrame {
  readonly digest: string;
  readonly expiresInMs: number;
}

/** What steps write that leave the world as it was; on a card it would only be noise. */
const NOTHING_LEFT = 'nothing stays behind';

const UNDO = {
  compensate: 'yes, fully',
  mitigate: 'only in part',
  none: 'no',
} as const;

/** The whole card as an approver reads it on a terminal; every foreign string is made harmless first. */
export function renderCard(
  style: Style,
  gate: GateDocument,
  card: CardDocument,
  frame: CardFrame,
): readonly string[] {
  const sections = [
    heading(style, gate, card, frame),
    what(style, card),
    sums(style, card),
    worstCase(style, card),
    asking(style, card, gate),
    terms(style, card),
    changes(style, card),
    notes(style, card),
    words(style, card),
    [...fields(style, [['signing', frame.digest]], '  ')],
  ];
  return sections.filter((lines) => lines.length > 0).flatMap((lines) => [...lines, '']);
}

function rule(style: Style): string {
  return style.dim('─'.repeat(style.columns));
}

function heading(
  style: Style,
  gate: GateDocument,
  card: CardDocument,
  frame: CardFrame,
): readonly string[] {
  const environment = card.environment.toUpperCase();
  const tag = card.environment === 'production' ? style.warn(environment) : style.dim(environment);
  return [
    rule(style),
    `${pad(style.bold(visible(card.title)), style.columns - environment.length - 1)} ${tag}`,
    style.dim(`gate ${gate.gateId} · expires in ${duration(frame.expiresInMs)}`),
    rule(style),
  ];
}

function what(style: Style, card: CardDocument): readonly string[] {
  const rows = card.actions.map((action, i) => [
    `  ${i + 1}`,
    visible(action.title),
    money(action.costMaxMinor, card.currency),
    UNDO[action.reversal],
  ]);
  const residues = card.actions.flatMap((action, i) =>
    action.residue.minor === 0 && ['', NOTHING_LEFT].includes(action.residue.text)
      ? []
      : [
          `${i + 1}  if undone, what is left: ${money(action.residue.minor, card.currency)}` +
            (action.residue.text === '' ? '' : `; ${visible(action.residue.text)}`),
        ],
  );
  const others = card.otherSteps.map(
    (other) =>
      `${visible(other.title)} ${style.dim(other.gate === '' ? '(nothing to approve)' : `(gate ${other.gate})`)}`,
  );
  return [
    style.bold('What you are asked to approve'),
    ...table(
      style,
      [
        { title: '   ' },
        { title: 'action' },
        { title: 'at most', align: 'right' },
        { title: 'can be undone' },
      ],
      rows,
    ),
    ...residues.flatMap((line) =>
      hanging(style, line, '  ', '     ').map((part) => style.warn(part)),
    ),
    ...(others.length === 0 ? [] : [style.dim('  not part of this gate:')]),
    ...others.map((line) => `     ${line}`),
  ];
}

function hanging(style: Style, text: string, first: string, rest: string): readonly string[] {
  return wrap(text, style.columns - rest.length).map((line, i) => (i === 0 ? first : rest) + line);
}

function sums(style: Style, card: CardDocument): readonly string[] {
  const amount = (minor: number): string => money(minor, card.currency);
  const caps = card.caps.map((cap) => [
    `  ${visible(cap.scope)}`,
    amount(cap.usedMinor),
    amount(cap.afterMinor),
    amount(cap.capMinor),
  ]);
  return [
    style.bold('What it costs'),
    ...fields(
      style,
      [
        ['now, at most', style.bold(amount(card.totalMaxMinor))],
        ['first charge', amount(card.firstChargeMinor)],
        ['then each month', amount(card.monthlyMinor)],
        ['and each year', amount(card.yearlyMinor)],
      ],
      '  ',
    ),
    ...(caps.length === 0
      ? []
      : table(
          style,
          [
            { title: '  cap' },
            { title: 'used', align: 'right' },
            { title: 'with this', align: 'right' },
            { title: 'cap', align: 'right' },
          ],
          caps,
        )),
  ];
}

function worstCase(style: Style, card: CardDocument): readonly string[] {
  const losing = card.worstCase.filter((entry) => entry.lossMinor > 0);
  if (card.worstCase.length === 0) return [];
  return [
    style.bold('What is lost if it stops half-way'),
    ...(losing.length === 0
      ? ['  nothing: every step can be undone in full']
      : losing.map(
          (entry) => `  stopped after ${entry.afterStep}: ${money(entry.lossMinor, card.currency)}`,
        )),
  ];
}

function asking(style: Style, card: CardDocument, gate: GateDocument): readonly string[] {
  const needed = gate.rule.allOf
    .map((part) => `${part.count} of ${visible(part.group)}`)
    .join(' and ');
  return [
    style.bold('Who asks, and why you'),
    ...fields(
      style,
      [
        ['requester', visible(card.requester)],
        ['agent', `${visible(card.agent)}, for which ${visible(card.owner)} answers`],
        ['on behalf of', visible(card.principal)],
        ['needed', needed],
        ...(gate.excluded.length === 0
          ? []
          : [['not allowed', gate.excluded.map(visible).join(', ')] as const]),
        ...card.why.map((why) => ['rule', `${visible(why.rule)}: ${visible(why.text)}`] as const),
        ['policy', `version ${card.policyVersion}, ${card.policyDigest.slice(0, 19)}…`],
        ...(card.site === undefined
          ? []
          : [
              [
                'site',
                `${card.site.files} files, ${card.site.bytes} bytes, ${card.site.bundle.slice(0, 19)}…`,
              ] as const,
            ]),
      ],
      '  ',
    ),
  ];
}

function terms(style: Style, card: CardDocument): readonly string[] {
  if (card.terms.length === 0) return [];
  return [
    style.bold('By approving you accept these terms'),
    ...card.terms.flatMap((term) => [
      `  ${visible(term.provider)}, version ${visible(term.version)}, ${term.digest.slice(0, 19)}…`,
      `     ${style.accent(visible(term.url))}`,
    ]),
  ];
}

function changes(style: Style, card: CardDocument): readonly string[] {
  if (card.changes.length === 0) return [];
  return [
    style.warn('What has changed since the last gate'),
    ...table(
      style,
      [{ title: '  what' }, { title: 'before' }, { title: 'now' }],
      card.changes.map((change) => [
        `  ${visible(change.what)}`,
        visible(change.before),
        style.warn(visible(change.after)),
      ]),
    ),
  ];
}

function notes(style: Style, card: CardDocument): readonly string[] {
  if (card.notes.length === 0) return [];
  return [
    style.bold('Mind'),
    ...card.notes.flatMap((note) => hanging(style, `· ${visible(note)}`, '  ', '    ')),
  ];
}

function words(style: Style, card: CardDocument): readonly string[] {
  return [
    style.bold("The agent's own words") + style.warn('  (untrusted; nobody has checked them)'),
    ...wrap(card.agentWords, style.columns - 6).map((line) => wordsForTerminal(line)),
  ];
}

import { firstLabelOf, foldAscii } from '../domain-name.js';
import { editDistance } from '../edit-distance.js';
import { skeletonOf } from './confusables.js';
import { likenessOf, protectedMarks } from './near-names.js';
import type { Policy } from './schema.js';

/** What is wrong with a name, seen against the goal and the protected names. */
export interface NameFinding {
  readonly rule: 'domains.goal' | 'domains.nearNames';
  readonly text: string;
  /** `sign-off` where the name is right but a second one stands beside it. */
  readonly verdict: 'deny' | 'sign-off';
}

/** Shorter words are a letter away from half the dictionary. */
const DISTANCE_WORD_MIN = 5;
const DISTANCE_TWO_WORD_MIN = 10;

/** Endings that words of a goal carry without naming a domain: `worker.mjs`, `index.html`. */
const FILE_ENDINGS = new Set(
  'js ts mjs cjs jsx tsx html htm css json yaml yml txt md png jpg jpeg svg gif webp ico pdf toml xml csv wasm'.split(
    ' ',
  ),
);

const NAMED_DOMAIN =
  /(?<![\w@.-])(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}(?![\w@-])/g;

/** Not the same, but a person could take one for the other. */
export function looksLike(one: string, other: string): boolean {
  if (one === other) return false;
  if (skeletonOf(one) === skeletonOf(other)) return true;
  const shorter = Math.min(one.length, other.length);
  if (shorter < DISTANCE_WORD_MIN) return false;
  return editDistance(one, other) <= (shorter >= DISTANCE_TWO_WORD_MIN ? 2 : 1);
}

/** The domain names that a goal spells out, ASCII-folded. */
export function domainsNamedIn(goal: string, name: string): string[] {
  const label = firstLabelOf(name);
  const named = foldAscii(goal).match(NAMED_DOMAIN) ?? [];
  return [...new Set(named)].filter((mention) => {
    const first = firstLabelOf(mention.replace(/^www\./, ''));
    const ending = mention.slice(mention.lastIndexOf('.') + 1);
    return !FILE_ENDINGS.has(ending) || first === label || looksLike(first, label);
  });
}

/** The single words of a goal and each two neighbours joined: "Super Seal" may mean superseal. */
function wordsOf(goal: string): string[] {
  const words = foldAscii(goal)
    .split(/[^\p{L}\p{N}-]+/u)
    .filter((word) => word !== '');
  const pairs = words.slice(1).map((word, index) => `${words[index] ?? ''}${word}`);
  return [...words, ...pairs];
}

/** Judges a requested name against the words of the goal and the protected names. */
export function nameFindings(
  { name, goal }: { name: string; goal: string },
  rules: Policy['domains'],
): NameFinding[] {
  return [
    ...goalFindings(name, goal, rules),
    ...(rules.names.includes(name) ? [] : protectedFindings(name, rules)),
  ];
}

function goalFindings(name: string, goal: string, rules: Policy['domains']): NameFinding[] {
  const named = domainsNamedIn(goal, name);
  const others = named.filter((mention) => mention !== name && !mention.endsWith(`.${name}`));
  if (named.length > 0 && others.length === named.length)
    return [
      {
        rule: 'domains.goal',
        verdict: rules.goal,
        text: `the goal names ${others.join(', ')}, but ${name} is asked for`,
      },
    ];
  if (others.length > 0)
    return [
      {
        rule: 'domains.goal',
        verdict: 'sign-off',
        text: `the goal names ${others.join(', ')} beside ${name}`,
      },
    ];
  if (named.length > 0) return [];
  const label = firstLabelOf(name);
  const words = wordsOf(goal);
  if (words.some((word) => word.replaceAll('-', '') === label.replaceAll('-', ''))) return [];
  const like = words.find((word) => looksLike(word, label));
  return like === undefined
    ? []
    : [
        {
          rule: 'domains.nearNames',
          verdict: rules.nearNames,
          text: `${name} looks like the goal's word "${like}", but is spelled otherwise`,
        },
      ];
}

function protectedFindings(name: string, rules: Policy['domains']): NameFinding[] {
  return protectedMarks(rules).flatMap((mark) => {
    const text = likenessOf(name, mark);
    return text === undefined
      ? []
      : [{ rule: 'domains.nearNames' as const, verdict: rules.nearNames, text }];
  });
}

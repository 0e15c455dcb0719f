import { firstLabelOf, suffixOf } from '../domain-name.js';
import { editDistance } from '../edit-distance.js';
import { shownLabel, skeletonOf } from './confusables.js';
import { marksOf, type Mark } from './marks.js';
import type { Policy } from './schema.js';

/** Which protected name a name could be taken for, and how. */

/** Words that are put before or behind a mark to look official. */
const ADDED = (
  'access account accounts admin ads alert app apps auth bank bill billing bonus business card care center central chat ' +
  'checkout claim client cloud com connect contact corp crypto customer dashboard deal deals desk dev direct download ' +
  'eu express finance free get gift global go group help helpdesk home hq id inc info invoice jobs live llc login logon ' +
  'ltd mail main mobile my net news now official offer offers online order orders org our pay payment payments plus portal ' +
  'pro promo protect refund renew reset reward rewards safe sale sales secure security service services shop sign signin ' +
  'site staff status store subscription support survey team tech the track tracking uk update updates us user users ' +
  'verification verify vip wallet web webmail win www'
).split(' ');
const ADDED_WORDS: ReadonlySet<string> = new Set(ADDED);
/** Shorter marks stand inside too many words. */
const WITHIN_LETTERS_MIN = 4;
const DISTINCT_LETTERS_MIN = 5;
/** Shorter words are a letter away from half the dictionary. */
const TYPO_LETTERS_MIN = 5;
const ANY_LETTER_MIN = 8;
const TWO_TYPOS_MIN = 10;

const KEYS = ['qwertyuiop', 'asdfghjkl', 'zxcvbnm'];
/** Pairs that are taken for each other on a screen. */
const ALIKE = new Set(
  'ae ao bd bh bl ce co cg dq eo fl ft gq gy hn ij il in jl kx mn mw nr nu ou pq uv vw vy'.split(
    ' ',
  ),
);

/** What is wrong with `name`, seen against one protected name; undefined: nothing. */
export function likenessOf(name: string, mark: Mark): string | undefined {
  if (name === mark.name) return `${name} is protected`;
  const guarded = firstLabelOf(mark.name);
  const label = shownLabel(firstLabelOf(name));
  if (label === guarded) return `${name} is the protected ${mark.name} under .${suffixOf(name)}`;
  if (skeletonOf(label) === skeletonOf(guarded))
    return `${name} looks like the protected ${mark.name}`;
  if (isTypo(skeletonless(label), guarded, mark))
    return `${name} is one slip away from the protected ${mark.name}`;
  if (isAdorned(label, guarded, mark))
    return `${name} is the protected ${mark.name} with words added`;
  return undefined;
}

const skeletonless = (label: string): string => label.replaceAll('-', '');

/** A slip of the hand or the eye: a letter too many, too few, doubled, swapped or taken for its neighbour. */
function isTypo(label: string, mark: string, { ordinary }: Mark): boolean {
  const shorter = Math.min(label.length, mark.length);
  if (shorter < TYPO_LETTERS_MIN) return false;
  const distance = editDistance(label, mark);
  if (distance === 0) return false;
  if (mark.length >= TWO_TYPOS_MIN) return distance <= 2;
  if (distance > 1) return false;
  if (ordinary && isDerived(label, mark)) return false;
  if (mark.length >= ANY_LETTER_MIN || label.length !== mark.length) return true;
  return replacedAlike(label, mark);
}

/** `steamy` of `steam`, `chaser` of `chase`: other words of a language, not slips. A doubled letter is a slip. */
function isDerived(label: string, mark: string): boolean {
  const [shorter, longer] = label.length < mark.length ? [label, mark] : [mark, label];
  const behind = longer.startsWith(shorter) && longer.at(-1) !== longer.at(-2);
  const before = longer.endsWith(shorter) && longer[0] !== longer[1];
  return longer.length > shorter.length && (behind || before);
}

/** Labels of one length, a letter or two neighbours apart: does the eye or the hand take one for the other? */
function replacedAlike(label: string, mark: string): boolean {
  const at = Array.from(label).findIndex((letter, index) => letter !== mark[index]);
  const [one = '', other = ''] = [label[at], mark[at]];
  if (label.slice(at + 1) !== mark.slice(at + 1)) return true;
  return ALIKE.has([one, other].sort().join('')) || areNeighbours(one, other);
}

function areNeighbours(one: string, other: string): boolean {
  return KEYS.some(
    (row) =>
      Math.abs(row.indexOf(one) - row.indexOf(other)) === 1 &&
      row.includes(one) &&
      row.includes(other),
  );
}

/** The mark whole, with words around it that make it look official; a distinct mark with any part beside it. */
function isAdorned(label: string, guarded: string, { ordinary }: Mark): boolean {
  if (guarded.length < WITHIN_LETTERS_MIN) return false;
  const mark = skeletonOf(guarded);
  const parts = label.split('-');
  const like = (part: string): boolean => skeletonOf(part) === mark;
  if (!ordinary && guarded.length >= DISTINCT_LETTERS_MIN && parts.length > 1 && parts.some(like))
    return true;
  const whole = skeletonOf(label);
  for (let at = whole.indexOf(mark); at !== -1; at = whole.indexOf(mark, at + 1)) {
    const before = whole.slice(0, at);
    const after = whole.slice(at + mark.length);
    if (before + after !== '' && isAdded(before) && isAdded(after)) return true;
  }
  return false;
}

const ADDED_SKELETONS: ReadonlySet<string> = new Set([...ADDED_WORDS].map(skeletonOf));

/** Is it made of added words and digits alone? A skeleton: digits have become letters, so runs of those count too. */
function isAdded(text: string): boolean {
  if (text === '') return true;
  // The digits of a year or a number, as the skeleton has them.
  if (/^[olesabtg26]{1,4}$/.test(text) && /[26]/.test(text)) return true;
  for (let length = 2; length <= text.length; length += 1)
    if (ADDED_SKELETONS.has(text.slice(0, length)) && isAdded(text.slice(length))) return true;
  return false;
}

/** All names that the policy protects, its own and those of its lists. */
export function protectedMarks(rules: Policy['domains']): Mark[] {
  const own = rules.protected.map((name) => ({ name, ordinary: false }));
  const listed = rules.protectedLists.flatMap((list) => [...marksOf(list)]);
  return [...own, ...listed.filter(({ name }) => !rules.protected.includes(name))];
}

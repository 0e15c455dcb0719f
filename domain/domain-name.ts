import { sha256Hex, utf8 } from './canonical.js';

declare const brand: unique symbol;
/** A DNS name in exact ASCII lower case, at least two labels, no `xn--` unless listed by name. */
export type DomainName = string & { readonly [brand]: 'DomainName' };

const NAME = /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/;
const NAME_CHARACTERS_MAX = 253;

/** Folds A to Z only: Unicode's own folding would turn look-alikes (the Kelvin sign) into letters. */
export function foldAscii(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/**
 * What keeps `text` from being a domain name, or undefined. `exactNames` are names in punycode that the policy lists
 * letter by letter. Nothing is normalised but ASCII case, and no URL parser touches it.
 */
export function domainNameProblem(
  text: string,
  exactNames: readonly string[] = [],
): string | undefined {
  const name = foldAscii(text);
  if (name.length > NAME_CHARACTERS_MAX) return `longer than ${NAME_CHARACTERS_MAX} characters`;
  if (name.endsWith('.')) return 'ends with a dot: leave it out';
  if (!NAME.test(name))
    return `not an exact ASCII domain name such as superseal.club${strange(name)}: letters, digits and inner hyphens, at least two parts`;
  if (name.split('.').some((label) => label.startsWith('xn--')) && !exactNames.includes(name))
    return 'an internationalised name (xn--): only names that the policy lists letter by letter are allowed';
  return undefined;
}

/** Names the first character that is not of ASCII: it may look like one that is. */
function strange(name: string): string {
  const found = /[^\u0000-\u007f]/u.exec(name)?.[0];
  if (found === undefined) return '';
  const code = (found.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  return `, as it holds U+${code} in place of a letter of ASCII`;
}

/** The folded name, or undefined when `domainNameProblem` has something to say. */
export function parseDomainName(
  text: string,
  exactNames: readonly string[] = [],
): DomainName | undefined {
  return domainNameProblem(text, exactNames) === undefined
    ? (foldAscii(text) as DomainName)
    : undefined;
}

/** What stands before the first dot: `superseal` of `superseal.club`. */
export function firstLabelOf(name: string): string {
  return name.split('.', 1)[0] ?? '';
}

/** What stands after the first dot: `club` of `superseal.club`, `co.uk` of `a.co.uk`. */
export function suffixOf(name: string): string {
  return name.slice(firstLabelOf(name).length + 1);
}

const SCRIPT_CHARACTERS_MAX = 50;

/**
 * The hosting script of a domain: one name, so that a later run finds what an earlier one made. Hyphens are doubled
 * before dots become hyphens: `a-b.com` and `a.b.com` must not share a script. Long names end in a hash.
 */
export function scriptNameOf(name: string): string {
  const script = `cs-${name.replaceAll('-', '--').replaceAll('.', '-')}`;
  if (script.length <= SCRIPT_CHARACTERS_MAX) return script;
  return `${script.slice(0, 41).replace(/-+$/, '')}-${sha256Hex(utf8(name)).slice(0, 8)}`;
}

import { decodePunycode } from '../punycode.js';

/**
 * Letters that look like a Latin one, after the data of Unicode Technical Standard #39 (confusables.txt), cut down to
 * what a lower-case domain name can hold: Cyrillic, Greek, Armenian, Latin with a stroke or hook, small capitals and the
 * full-width forms. A letter with an accent is its base letter with a mark, and the mark is dropped.
 */
const LOOK_ALIKES: Readonly<Record<string, string>> = {
  a: 'аαɑａ',
  b: 'Ььƅƀɓｂ',
  c: 'сϲᴄƈｃ',
  d: 'ԁɗđɖｄ',
  e: 'еєҽɛɇｅ',
  f: 'ғƒſｆ',
  g: 'ɡɢցǥɠｇ',
  h: 'һհħɦｈ',
  i: 'іιıɪɨｉ',
  j: 'јϳɉｊ',
  k: 'кκĸƙᴋｋ',
  l: 'ӏɩłɭƚⅼⲓӀι',
  m: 'мｍᴍɱ',
  n: 'ոпηɴŋɲｎ',
  o: 'оοօσөøᴏƟɵｏ',
  p: 'рρƥᴘｐ',
  q: 'ԛզգɋｑ',
  r: 'гɍɾʀᴦｒ',
  s: 'ѕꜱʂƽｓ',
  t: 'тτŧƫᴛţｔ',
  u: 'υսцʋᴜｕ',
  v: 'νѵᴠｖ',
  w: 'ѡԝɯшωᴡｗ',
  x: 'хχⅹҳｘ',
  y: 'уүγʏɏｙ',
  z: 'ᴢƶʐȥｚ',
};

const LATIN_OF = new Map(
  Object.entries(LOOK_ALIKES).flatMap(([latin, alike]) =>
    Array.from(alike, (letter) => [letter, latin] as const),
  ),
);

/** Text as the eye takes it: look-alikes and accents replaced by plain Latin letters. */
export function latinOf(text: string): string {
  const bare = text.normalize('NFKD').replace(/\p{M}/gu, '');
  return Array.from(bare, (letter) => LATIN_OF.get(letter) ?? letter).join('');
}

/** What a label shows in an address bar: `xn--…` decoded, anything else as it is. */
export function shownLabel(label: string): string {
  return label.startsWith('xn--') ? (decodePunycode(label.slice(4)) ?? label) : label;
}

/** Digits and pairs of letters that look like a letter; hyphens vanish. */
export function skeletonOf(label: string): string {
  return latinOf(label)
    .replaceAll('-', '')
    .replaceAll('0', 'o')
    .replace(/[1i|]/g, 'l')
    .replaceAll('3', 'e')
    .replaceAll('4', 'a')
    .replaceAll('5', 's')
    .replaceAll('7', 't')
    .replaceAll('8', 'b')
    .replaceAll('9', 'g')
    .replaceAll('rn', 'm')
    .replaceAll('nn', 'm')
    .replaceAll('vv', 'w')
    .replaceAll('uu', 'w')
    .replaceAll('cl', 'd');
}

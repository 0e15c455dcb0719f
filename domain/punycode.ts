/** Parameters of RFC 3492, section 5. */
const BASE = 36;
const T_MIN = 1;
const T_MAX = 26;
const SKEW = 38;
const DAMP = 700;
const FIRST_BIAS = 72;
const FIRST_POINT = 128;
const POINT_MAX = 0x10ffff;
const CHARACTERS_MAX = 63;

/** Decodes what stands after `xn--` (RFC 3492). Undefined when it is no punycode. */
export function decodePunycode(text: string): string | undefined {
  if (text.length > CHARACTERS_MAX || !/^[a-z0-9-]*$/.test(text)) return undefined;
  const split = text.lastIndexOf('-');
  const points = Array.from(
    text.slice(0, Math.max(split, 0)),
    (letter) => letter.codePointAt(0) ?? 0,
  );
  let at = split < 0 ? 0 : split + 1;
  let point = FIRST_POINT;
  let bias = FIRST_BIAS;
  let index = 0;
  while (at < text.length) {
    const before = index;
    for (let weight = 1, k = BASE; ; k += BASE) {
      const digit = digitOf(text.charCodeAt(at));
      if (at >= text.length || digit === undefined) return undefined;
      at += 1;
      index += digit * weight;
      const threshold = Math.min(Math.max(k - bias, T_MIN), T_MAX);
      if (digit < threshold) break;
      weight *= BASE - threshold;
      if (weight > Number.MAX_SAFE_INTEGER / BASE) return undefined;
    }
    const length = points.length + 1;
    bias = adapted(index - before, length, before === 0);
    point += Math.floor(index / length);
    if (point > POINT_MAX || (point >= 0xd800 && point < 0xe000)) return undefined;
    index %= length;
    points.splice(index, 0, point);
    index += 1;
  }
  return String.fromCodePoint(...points);
}

function digitOf(code: number): number | undefined {
  if (code >= 97 && code <= 122) return code - 97;
  return code >= 48 && code <= 57 ? code - 48 + 26 : undefined;
}

function adapted(delta: number, length: number, first: boolean): number {
  let left = Math.floor(delta / (first ? DAMP : 2));
  left += Math.floor(left / length);
  let k = 0;
  for (; left > ((BASE - T_MIN) * T_MAX) / 2; k += BASE) left = Math.floor(left / (BASE - T_MIN));
  return k + Math.floor(((BASE - T_MIN + 1) * left) / (left + SKEW));
}

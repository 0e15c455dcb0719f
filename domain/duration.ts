const DURATION = /^([1-9]\d{0,5})(s|m|h|d)$/;
const UNIT_MS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `24h` -> ms, from its source text: a whole number of s, m, h or d. Undefined for anything else. */
export function durationToMs(text: string): number | undefined {
  const [, count, unit] = DURATION.exec(text) ?? [];
  const unitMs = unit === undefined ? undefined : UNIT_MS[unit];
  return count === undefined || unitMs === undefined ? undefined : Number(count) * unitMs;
}

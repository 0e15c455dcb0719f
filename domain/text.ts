const LONE_SURROGATE = /\p{Surrogate}/u;

/** Length in characters as JSON Schema and Python count them: code points, not UTF-16 units. */
export function countCharacters(text: string): number {
  let count = 0;
  for (const character of text) if (character !== '') count += 1;
  return count;
}

/** What keeps `text` from being a statement's text: checked at the edge, never normalised. Undefined when it is fine. */
export function textProblem(text: string, charactersMax: number): string | undefined {
  // UTF-16 units bound the count from above: long input is refused, and short input passes, before it is walked.
  const tooLong =
    text.length > 2 * charactersMax ||
    (text.length > charactersMax && countCharacters(text) > charactersMax);
  if (tooLong) return `text longer than ${charactersMax} characters`;
  if (LONE_SURROGATE.test(text)) return 'text holds half of a surrogate pair';
  if (text.normalize('NFC') !== text) return 'text is not in Unicode normal form C';
  return undefined;
}

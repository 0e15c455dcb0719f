import fc from 'fast-check';

/** Inputs that nobody would write: good ones with small and large faults, and soup. */

const NASTY = (
  '&a *a !!str !a %YAML --- ... ? : - [ ] { } , # | > |2- " \' \\ \\u0000 \\x \t << null ~ .inf .nan -0 0x10 1e999 ' +
  '9007199254740993 __proto__ constructor toString \u0000 \u0001 \u001f \u0085 \u2028 \u202e \ufeff \ud800 \u{1f600} ' +
  '- - - [[[[ {{{{ ]]]] }}}} "" \'\' :: ?? && ** !! %% \r \r\n @ ` = 1:2 2001-01-01 yes no on off'
).split(' ');
export const nasty = fc.constantFrom(...NASTY, ' ', '\n', '\n  ', '\n    - ');

type Edit = (text: string) => string;
/** Of a whole, evenly: doubles are drawn by their exponents, nearly all of them next to nothing. */
const place = fc.integer({ min: 0, max: 9_999 }).map((of) => of / 10_000);
const cut = (text: string, at: number): [string, string] => {
  const index = Math.floor(at * text.length);
  return [text.slice(0, index), text.slice(index)];
};
const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.tuple(place, nasty).map(
    ([at, piece]): Edit =>
      (text) =>
        cut(text, at).join(piece),
  ),
  fc.tuple(place, fc.string({ unit: 'binary', maxLength: 20 })).map(
    ([at, piece]): Edit =>
      (text) =>
        cut(text, at).join(piece),
  ),
  fc.tuple(place, fc.nat(200)).map(([at, length]): Edit => (text) => {
    const [before, after] = cut(text, at);
    return before + after.slice(length);
  }),
  fc.tuple(place, place, fc.nat(400)).map(([from, to, length]): Edit => (text) => {
    const piece = cut(text, from)[1].slice(0, length);
    return cut(text, to).join(piece);
  }),
  fc.tuple(place, nasty, fc.nat(3_000)).map(
    ([at, piece, times]): Edit =>
      (text) =>
        cut(text, at).join(piece.repeat(times)),
  ),
);

/** One of these texts, edited up to four times. */
export const mutatedText = (texts: readonly string[]): fc.Arbitrary<string> =>
  fc
    .tuple(fc.constantFrom(...texts), fc.array(edit, { minLength: 1, maxLength: 4 }))
    .map(([text, edits]) => edits.reduce((now, change) => change(now), text));

export const soup = fc.array(nasty, { maxLength: 400 }).map((pieces) => pieces.join(''));
/** The same over and over: longer than any of our texts may be. */
export const flood = fc
  .tuple(fc.array(nasty, { minLength: 1, maxLength: 3 }), fc.nat(90_000))
  .map(([pieces, times]) => pieces.join('').repeat(times).slice(0, 300_000));
export const rawText = fc.string({ unit: 'binary', maxLength: 300 });

const nested = (depth: number, around: (value: unknown) => unknown): unknown => {
  let value: unknown = 'a';
  for (let level = 0; level < depth; level += 1) value = around(value);
  return value;
};

/** What may stand in a place of a document that wanted something else. */
const oddValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    ...[null, true, false, 0, -0, -1, 1, 1.5, 1e21, 2 ** 53, Number.MIN_VALUE, '', ' ', '0', '1'],
    ...[
      '\u0000',
      '\ud800',
      '\u202e',
      '\ufeff',
      'e\u0301',
      'a'.repeat(2_001),
      '\u{1f600}'.repeat(1_001),
    ],
    ...[
      '9'.repeat(400),
      '-1.00 USD',
      '60.00 EUR',
      '2026-02-30T00:00:00.000Z',
      '__proto__',
      'p_',
      '*',
    ],
    ...[
      [],
      {},
      [[]],
      { a: 1 },
      Array<number>(3_000).fill(7),
      JSON.parse('{"__proto__":{"a":"b"}}'),
    ],
    ...[nested(7, (of) => [of]), nested(300, (of) => [of]), nested(300, (of) => ({ of }))],
  ),
  fc.jsonValue({ maxDepth: 3 }),
  rawText,
);

interface Spot {
  readonly holder: Record<string, unknown>;
  readonly name: string;
}

function spotsOf(value: unknown): Spot[] {
  if (typeof value !== 'object' || value === null) return [];
  const holder = value as Record<string, unknown>;
  return Object.keys(holder).flatMap((name) => [{ holder, name }, ...spotsOf(holder[name])]);
}

type Change = (spot: Spot) => void;
/** One character for another of its like: what comes out often has the right shape. */
const slip = fc
  .tuple(place, fc.constantFrom('a', 'b', 'f', '0', '1', '9'))
  .map(([at, letter]): Change => ({ holder, name }) => {
    const text = holder[name];
    if (typeof text !== 'string') return;
    const index = Math.floor(at * text.length);
    if (/[a-z0-9]/.test(text[index] ?? ''))
      holder[name] = text.slice(0, index) + letter + text.slice(index + 1);
  });
const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 4, arbitrary: slip },
  oddValue.map((odd): Change => ({ holder, name }) => {
    holder[name] = odd;
  }),
  fc.constant<Change>(({ holder, name }) => {
    if (Array.isArray(holder)) holder.splice(Number(name), 1);
    else Reflect.deleteProperty(holder, name);
  }),
  fc
    .tuple(fc.oneof(nasty, fc.string({ maxLength: 12 })), oddValue)
    .map(([name, odd]): Change => ({ holder }) => {
      // Not by assignment: `__proto__` is a member like another in what arrives.
      Object.defineProperty(holder, name, {
        ...{ value: odd, enumerable: true, configurable: true, writable: true },
      });
    }),
  edit.map((of): Change => ({ holder, name }) => {
    if (typeof holder[name] === 'string') holder[name] = of(holder[name]);
    else holder[name] = [holder[name]];
  }),
  fc.integer({ min: -2, max: 2 }).map((by): Change => ({ holder, name }) => {
    if (typeof holder[name] === 'number') holder[name] += by;
    else holder[name] = { [name]: holder[name] };
  }),
);

/** One of these JSON values, changed in one or two places. */
export const mutatedValue = (values: readonly unknown[]): fc.Arbitrary<unknown> =>
  fc
    .tuple(
      fc.constantFrom(...values),
      fc.array(fc.tuple(place, change), { minLength: 1, maxLength: 2 }),
    )
    .map(([value, changes]) => {
      const root = { value: structuredClone(value) };
      for (const [at, apply] of changes) {
        const spots = spotsOf(root.value);
        const spot = spots[Math.floor(at * spots.length)];
        apply(spot ?? { holder: root, name: 'value' });
      }
      return root.value;
    });

/** The same as JSON text: half of it as the protocol's canonical form would have it but for the order of members. */
export const mutatedJson = (values: readonly unknown[]): fc.Arbitrary<string> =>
  fc
    .tuple(mutatedValue(values), fc.constantFrom(0, 0, 0, 1, 2))
    .map(([value, indent]) =>
      value === undefined ? '' : JSON.stringify(value, undefined, indent),
    );

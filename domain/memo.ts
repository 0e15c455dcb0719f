/**
 * A pure function that remembers what it answered for the newest `max` inputs. `nameOf` has to tell any two inputs
 * apart: the whole text, or digests of all that the answer comes from. What it answers is shared and must not be
 * changed; what it throws is not kept.
 */
export function memo<In, Out>(
  max: number,
  nameOf: (input: In) => string,
  answer: (input: In) => Out,
): (input: In) => Out {
  const known = new Map<string, { readonly out: Out }>();
  return (input) => {
    const name = nameOf(input);
    const held = known.get(name) ?? { out: answer(input) };
    // The newest stands last and the oldest first: a Map keeps the order in which its keys were set.
    known.delete(name);
    known.set(name, held);
    const [oldest] = known.keys();
    if (known.size > max && oldest !== undefined) known.delete(oldest);
    return held.out;
  };
}

/** The same for functions of one text. */
export const memoOfText = <Out>(
  max: number,
  answer: (text: string) => Out,
): ((text: string) => Out) => memo(max, (text) => text, answer);

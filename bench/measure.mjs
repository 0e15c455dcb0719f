// Times and how they are told.

export const now = () => performance.now();

/** The value below which the given share of the samples lies. */
export const at = (times, share) =>
  [...times].sort((a, b) => a - b)[Math.min(times.length - 1, Math.floor(times.length * share))];

export const ms = (value) => `${value < 100 ? value.toFixed(1) : Math.round(value)} ms`;

/** Runs `count` sagas, all at once or one after the other; answers what each took and all together, in ms. */
export async function measure(count, together, one) {
  const began = now();
  const timed = async (i) => {
    const start = now();
    await one(i);
    return now() - start;
  };
  const times = [];
  if (together)
    times.push(...(await Promise.all(Array.from({ length: count }, (_, i) => timed(i)))));
  else for (let i = 0; i < count; i += 1) times.push(await timed(i));
  return { times, perSecond: count / ((now() - began) / 1000) };
}

/** The rows of the report: ours, the plain thing beside it, and how many times ours takes. */
export class Report {
  #rows = [];

  row(what, ours, plain = '', ratio = '') {
    this.#rows.push([what, ours, plain, ratio]);
    process.stderr.write(`${what}: ${ours}${plain === '' ? '' : ` against ${plain}`}\n`);
  }

  /** Two lists of times of the same thing, ours and plain. */
  times(title, ours, plain) {
    for (const [name, share] of [
      ['p50', 0.5],
      ['p99', 0.99],
    ]) {
      const [a, b] = [at(ours, share), at(plain, share)];
      this.row(`${title}, ${name}`, ms(a), ms(b), (a / b).toFixed(1));
    }
  }

  toString() {
    return ['| what | governed | plain | ratio |', '|---|---|---|---|']
      .concat(this.#rows.map((cells) => `| ${cells.join(' | ')} |`))
      .join('\n');
  }
}

import { appendFileSync, existsSync, readFileSync } from 'node:fs';

/**
 * Named places at which a test ends this process with -9: `<point>@<step>@<run>`, one a line in a file that the
 * test writes. A place that has fired is noted in `<file>.fired` and fires no second time, so the worker that takes
 * over goes on. Only an embedded instance looks at it; nothing happens without the file.
 */
export function failpointsFrom(file: string): (place: string) => void {
  const fired = `${file}.fired`;
  return (place) => {
    if (!existsSync(file)) return;
    const linesOf = (name: string): string[] =>
      existsSync(name) ? readFileSync(name, 'utf8').split('\n') : [];
    if (!linesOf(file).includes(place) || linesOf(fired).includes(place)) return;
    appendFileSync(fired, `${place}\n`);
    process.kill(process.pid, 'SIGKILL');
  };
}

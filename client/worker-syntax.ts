import { parse } from 'acorn';

/** Modules that the hosting runtime brings along; anything else would have to be in the bundle. */
const RUNTIME = /^(cloudflare|node):/;

/** A Worker is at most this long: parsing takes its time, and its stack. */
export const WORKER_CHARACTERS_MAX = 3 * 1024 * 1024;

/** What keeps a Worker from being deployed, or undefined. It is parsed, never imported and never run. */
export function workerProblem(source: string): string | undefined {
  // guard: what is too long is not parsed.
  if (source.length > WORKER_CHARACTERS_MAX)
    return `is longer than ${WORKER_CHARACTERS_MAX} characters: serve what is large from public/`;
  const program = parsed(source);
  if (typeof program === 'string') return program;
  for (const node of program.body) {
    const from = sourceOf(node);
    if (from !== undefined && !RUNTIME.test(from))
      return `imports ${JSON.stringify(from.slice(0, 80))}, which is not deployed with it: put all code into worker.mjs`;
  }
  const exported = program.body.some(
    (node) =>
      node.type === 'ExportDefaultDeclaration' ||
      (node.type === 'ExportNamedDeclaration' &&
        node.specifiers.some(
          ({ exported: name }) => name.type === 'Identifier' && name.name === 'default',
        )),
  );
  return exported ? undefined : 'has no default export: write `export default { fetch }`';
}

type Program = ReturnType<typeof parse>;

function parsed(source: string): Program | string {
  try {
    return parse(source, { ecmaVersion: 'latest', sourceType: 'module' });
  } catch (error) {
    // guard: so says the parser, too, of brackets that are nested deeper than it can follow.
    if (!(error instanceof SyntaxError)) throw error;
    const at = 'loc' in error ? (error.loc as { line: number; column: number }) : undefined;
    const message = error.message.replace(/ \(\d+:\d+\)$/, '');
    return `has a syntax error${at === undefined ? '' : ` at line ${at.line}, column ${at.column + 1}`}: ${message}`;
  }
}

function sourceOf(node: Program['body'][number]): string | undefined {
  if (
    node.type !== 'ImportDeclaration' &&
    node.type !== 'ExportAllDeclaration' &&
    node.type !== 'ExportNamedDeclaration'
  )
    return undefined;
  const value = node.source?.value;
  return typeof value === 'string' ? value : undefined;
}

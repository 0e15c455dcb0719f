import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { EXIT, Explanation, type Explained } from './explain.js';
import type { CommonOptions, Context } from './context.js';

/**
 * Asks a program of ours that has what this one does without (the providers' SDKs): JSON in, `{ answer }` or `{ error }`
 * out. @throws Explanation with what the other one says
 */
export async function askProgram<T>(
  context: Context,
  program: { readonly file: string; readonly args?: readonly string[]; readonly input?: unknown },
  options: CommonOptions,
): Promise<T> {
  const config = options.config === undefined ? [] : ['--config', options.config];
  const args = [program.file, ...(program.args ?? []), '--data', context.config.dataDir, ...config];
  const child = spawn(process.execPath, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    cwd: context.io.cwd,
    env: context.io.variables,
    signal: context.io.interrupted,
  });
  child.stdin.end(JSON.stringify(program.input ?? null));
  const answer = await text(child.stdout);
  // One that was killed, or never started, has said nothing; what it wrote to stderr is on the terminal already.
  const said = (answer === '' ? {} : JSON.parse(answer)) as { answer?: T; error?: Explained };
  if (said.answer !== undefined) return said.answer;
  throw new Explanation(
    said.error ?? { message: 'it gave no answer', exitCode: EXIT.otherwise, code: 'UNEXPECTED' },
  );
}

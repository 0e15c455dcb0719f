import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Plan } from '../../domain/plan.js';
import type { Request } from '../../domain/request.js';
import type { Register } from '../cli.js';
import type { CommonOptions, Context } from '../context.js';
import { EXIT, Explanation, type Explained } from '../explain.js';
import { planLines } from '../plan-view.js';
import { loadRequest } from '../request.js';

/** A program of its own: only it needs the providers' SDKs. */
const PROGRAM = fileURLToPath(new URL('../programs/plan.js', import.meta.url));

/** `plan FILE`: what a run would be; changes nothing. */
export const registerPlan: Register = (verbs) => {
  verbs
    .add(
      'plan <file>',
      'Quotes and plans a request with verdict, cost and reversal of each step; changes nothing',
      'countersign plan examples/superseal/request.yaml',
    )
    .action(
      verbs.run(async (context, file: string, options: CommonOptions) => {
        const { request } = loadRequest(context, file);
        const plan = await preview(context, request, options);
        context.print(plan, planLines(context.style, plan));
        return plan.denials.length === 0 ? EXIT.done : EXIT.otherwise;
      }),
    );
};

async function preview(context: Context, request: Request, options: CommonOptions): Promise<Plan> {
  const runId = `plan-${randomBytes(5).toString('hex')}`;
  const config = options.config === undefined ? [] : ['--config', options.config];
  const args = [PROGRAM, '--run', runId, '--data', context.config.dataDir, ...config];
  const child = spawn(process.execPath, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    cwd: context.io.cwd,
    env: context.io.variables,
    signal: context.io.interrupted,
  });
  child.stdin.end(JSON.stringify(request));
  const answer = JSON.parse(await text(child.stdout)) as { plan?: Plan; error?: Explained };
  if (answer.plan !== undefined) return answer.plan;
  throw new Explanation(
    answer.error ?? { message: 'planning gave no answer', exitCode: 1, code: 'UNEXPECTED' },
  );
}

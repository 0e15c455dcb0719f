import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { Plan } from '../../domain/plan.js';
import type { Request } from '../../domain/request.js';
import { askProgram } from '../ask-program.js';
import type { Register } from '../cli.js';
import type { CommonOptions, Context } from '../context.js';
import { EXIT } from '../explain.js';
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

const preview = (context: Context, request: Request, options: CommonOptions): Promise<Plan> =>
  askProgram<Plan>(
    context,
    {
      file: PROGRAM,
      args: ['--run', `plan-${randomBytes(5).toString('hex')}`],
      input: request,
    },
    options,
  );

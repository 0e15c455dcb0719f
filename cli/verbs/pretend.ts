import { readSandboxEndpoints } from '../../config/endpoints.js';
import { UnreachableError, UsageError } from '../../config/errors.js';
import { readPrivateFile } from '../../config/private-files.js';
import { SandboxControl } from '../../sandbox/control-client.js';
import type { Register } from '../cli.js';
import type { Context } from '../context.js';

/** `pretend`: the sandbox's stand-in for a person at Stripe or Cloudflare. */
export const registerPretend: Register = (verbs) => {
  verbs
    .add(
      'pretend <doing> [members...]',
      'Does in the sandbox what a person would do at a provider, such as adding a card',
      'countersign pretend add-payment-method customer=cus_123\ncountersign pretend add-billing account=0123…',
    )
    .option('--world <world>', 'which world of the sandbox', 'main')
    .action(
      verbs.run(
        async (context, doing: string, members: readonly string[], options: { world: string }) => {
          const body = { ...membersOf(members), do: doing };
          const done = await ask(context, options.world, body);
          context.print({ done }, [`Done in the sandbox: ${JSON.stringify(done)}`]);
          return 0;
        },
      ),
    );
};

function membersOf(members: readonly string[]): Record<string, string | number> {
  return Object.fromEntries(
    members.map((member) => {
      const [, name, value] = /^([A-Za-z]+)=(.*)$/s.exec(member) ?? [];
      if (name === undefined || value === undefined)
        throw new UsageError({
          what: `${JSON.stringify(member.slice(0, 80))} is not of the form name=value`,
          remedy: 'Write it as customer=cus_123',
        });
      return [name, /^\d{1,9}$/.test(value) ? Number(value) : value];
    }),
  );
}

async function ask(
  context: Context,
  world: string,
  body: { readonly do: string },
): Promise<unknown> {
  const { temporal, databaseUrl, dataDir } = context.config;
  // Beside a Temporal and a database of their own the sandbox tells by itself where it answers.
  const alone = temporal.address !== undefined && databaseUrl !== undefined;
  const sandbox = alone ? readSandboxEndpoints(dataDir) : context.endpoints().sandbox;
  if (sandbox === undefined)
    throw new UsageError({
      what: 'this stack has no sandbox',
      remedy: 'Where providers are live, do it at the provider itself',
    });
  const controlToken = readPrivateFile(sandbox.controlTokenFile)?.trim() ?? '';
  const control = new SandboxControl({ controlUrl: sandbox.controlUrl, controlToken });
  try {
    return await control.people(world, body);
  } catch (error) {
    if (error instanceof TypeError)
      throw new UnreachableError({
        what: 'the sandbox does not answer',
        where: sandbox.controlUrl,
        remedy: 'Start it with: countersign up',
      });
    throw new UsageError({
      what: `the sandbox did not do ${body.do}: ${error instanceof Error ? error.message : 'no reason given'}`,
      remedy: 'See docs/sandbox.md for what a person can do there',
    });
  }
}

import path from 'node:path';
import { tokensByBrowser } from '../../client/http/by-browser.js';
import { HttpUnreachable, ServerRefused, SignInRefused } from '../../client/http/errors.js';
import { discover, revoke, tokensBySecret } from '../../client/http/issuer.js';
import type { Issuer, Tokens } from '../../client/http/issuer.js';
import { ServerApi } from '../../client/http/server-api.js';
import type { Me } from '../../client/http/server-api.js';
import { UsageError } from '../../config/errors.js';
import { readLogin, removeLogin, writeLogin } from '../../config/logins.js';
import { visible } from '../../domain/untrusted.js';
import { prepareDataFolder } from '../../embedded/data-folder.js';
import type { Register } from '../cli.js';
import type { Context } from '../context.js';
import { EXIT, type ExitCode } from '../explain.js';
import { secretIn, serverOf, signedIn, withoutSubject } from '../over-server.js';
import { fields } from '../style.js';

interface LoginOptions {
  readonly client?: string;
  readonly secretFile?: string;
}

/** `login`, `logout`, `whoami`: who calls a server. A sign-in approves nothing by itself. */
export const registerLogin: Register = (verbs) => {
  verbs
    .add(
      'login',
      'Signs in at a server: a person in the browser, an agent by its own secret',
      'countersign login\ncountersign login --client launch-agent --secret-file ~/launch-agent.secret',
    )
    .option('--client <id>', 'an agent or service signs in, under this client id of the issuer')
    .option('--secret-file <file>', 'its secret; the file is read again whenever a token runs out')
    .action(verbs.run(login));
  verbs
    .add(
      'logout',
      'Forgets the sign-in at a server, and ends it at the issuer',
      'countersign logout',
    )
    .action(verbs.run(logout));
  verbs
    .add('whoami', 'Says who is signed in at a server, by its register', 'countersign whoami')
    .action(verbs.run(whoami));
};

async function login(context: Context, options: LoginOptions): Promise<ExitCode> {
  const server = serverOf(context);
  const { dataDir } = context.config;
  const secretFile = secretFileOf(context, options);
  prepareDataFolder(dataDir);
  const former = readLogin(dataDir, server);
  const at = await discover(server);
  const clientId = options.client ?? at.clientId;
  const tokens =
    secretFile === undefined
      ? await byBrowser(context, at)
      : await tokensBySecret(at, { clientId, secret: secretIn(secretFile) });
  const me = await meOf(server, at, tokens);
  // guard: another installation behind a known address would have its gates signed as if they were the known one's.
  if (former !== undefined && former.instance !== me.instance)
    throw new UsageError({
      what: `${server} is another installation than at the last sign-in (${me.instance}, then ${former.instance})`,
      remedy:
        'Ask whoever runs it; if that is right, forget the former one with: countersign logout',
    });
  writeLogin(dataDir, server, {
    ...withoutSubject(tokens),
    ...{ issuer: at.issuer, resource: at.resource, clientId },
    ...{ instance: me.instance, kind: me.kind, id: me.id },
    ...(secretFile === undefined ? {} : { secretFile }),
  });
  show(context, server, me, 'Signed in');
  return EXIT.done;
}

function secretFileOf(context: Context, { client, secretFile }: LoginOptions): string | undefined {
  if ((client === undefined) !== (secretFile === undefined))
    throw new UsageError({
      what: `--${client === undefined ? 'secret-file' : 'client'} is given without its other half`,
      remedy:
        'An agent signs in with both --client ID and --secret-file FILE, a person with neither',
    });
  return secretFile === undefined ? undefined : path.resolve(context.io.cwd, secretFile);
}

function byBrowser(context: Context, at: Issuer): Promise<Tokens> {
  return tokensByBrowser(at, {
    signal: context.io.interrupted,
    show: (url) => {
      context.tell('Open this in a browser on this machine, and sign in there:');
      context.tell(url);
    },
  });
}

/** Who the server takes the tokens to be of. @throws UsageError for an account that nobody holds */
async function meOf(server: string, at: Issuer, { accessToken, subject }: Tokens): Promise<Me> {
  try {
    return await new ServerApi(server, accessToken).me();
  } catch (error) {
    if (!(error instanceof ServerRefused) || error.code !== 'account-unknown') throw error;
    const account = `--iss ${at.issuer}${subject === undefined ? '' : ` --sub ${visible(subject)}`}`;
    throw new UsageError({
      what: `${at.issuer} knows this account, and ${server} links it to nobody`,
      remedy: `Have it linked: countersign people link PERSON ${account} --key FILE, or agents add ID ${account}`,
    });
  }
}

async function logout(context: Context): Promise<ExitCode> {
  const server = serverOf(context);
  const { dataDir } = context.config;
  const kept = readLogin(dataDir, server);
  if (kept === undefined) {
    context.print({ server, signedOut: false }, [`Nobody was signed in at ${server}.`]);
    return EXIT.done;
  }
  removeLogin(dataDir, server);
  const { clientId, issuer, refreshToken } = kept;
  let told = true;
  try {
    const at = await discover(server);
    // guard: a server that names another issuer by now does not get to see the refresh token sent there.
    if (at.issuer !== issuer)
      throw new SignInRefused('other-issuer', 'the server names another issuer');
    if (refreshToken !== undefined) await revoke({ ...at, clientId }, refreshToken);
  } catch (error) {
    if (!(error instanceof HttpUnreachable) && !(error instanceof SignInRefused)) throw error;
    told = false;
    context.tell(
      `The issuer was not told (${visible(error.message)}): what it has issued runs out by itself.`,
    );
  }
  context.print({ server, signedOut: true, issuerTold: told }, [`Signed out at ${server}.`]);
  return EXIT.done;
}

async function whoami(context: Context): Promise<ExitCode> {
  const { api, server } = await signedIn(context);
  show(context, server, await api.me(), 'You are');
  return EXIT.done;
}

function show(context: Context, server: string, me: Me, said: string): void {
  const { style } = context;
  context.print({ server, ...me }, [
    `${said} as ${me.kind} ${style.bold(visible(me.id))}`.replace('are as', 'are'),
    ...fields(
      style,
      [
        ['server', server],
        ['instance', visible(me.instance)],
        ...(me.signedInAt === undefined ? [] : [['signed in', visible(me.signedInAt)] as const]),
      ],
      '  ',
    ),
  ]);
}

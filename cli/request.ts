import path from 'node:path';
import { packSite, type PackedSite } from '../client/bundle.js';
import { readRequestFile } from '../client/request-file.js';
import { Failure } from '../domain/errors.js';
import { parseRequestFile, requestOfFile, type Request } from '../domain/request.js';
import { UsageError } from '../config/errors.js';
import type { Context } from './context.js';
import { storeBundle } from '../store/bundle-writes.js';
import { bundleSize } from '../store/bundle-files.js';
import { listAgents, listPeople, listPrincipals } from '../store/people.js';
import { registerAgent, registerPrincipal } from './registration.js';

/** A request file, read and checked, its site packed. Nothing was sent or stored yet. */
export interface LoadedRequest {
  readonly request: Request;
  /** Absent where the file names a bundle that is stored already. */
  readonly site: PackedSite | undefined;
}

/** Reads a request file and packs the site beside it. @throws Failure REQUEST_INVALID, FileRefused */
export function loadRequest(context: Context, file: string): LoadedRequest {
  const full = path.resolve(context.io.cwd, file);
  const value = readRequestFile(full);
  const parsed = naming(file, () => parseRequestFile(value));
  const site =
    parsed.site === undefined ? undefined : packSite(path.resolve(path.dirname(full), parsed.site));
  const digest = site?.digest ?? parsed.bundle ?? '';
  return { request: naming(file, () => requestOfFile(parsed, digest)), site };
}

function naming<T>(file: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new Failure(error.code, `${file}: ${error.message}`, error.details);
  }
}

/** Nothing is written for a request whose bundle is not here. @throws UsageError when a named bundle is not stored */
export async function requireBundle(
  context: Context,
  { request, site }: LoadedRequest,
): Promise<void> {
  if (site !== undefined) return;
  if ((await bundleSize(await context.database(), request.bundle)) === undefined)
    throw new UsageError({
      what: `no bundle ${request.bundle} is stored here`,
      remedy: 'Name the folder with `site:` instead, and it is packed and stored',
    });
}

/** Puts the packed site where the workers take it from. */
export async function storeSite(context: Context, { site }: LoadedRequest): Promise<void> {
  if (site !== undefined) await storeBundle(await context.database(), site);
}

/**
 * The request with its principal by register id, so that no e-mail address travels through Temporal. In the embedded
 * mode an agent and a principal that are new here are registered, the only enrolled person answering for the agent.
 */
export async function registered(context: Context, request: Request): Promise<Request> {
  const db = await context.database();
  const agents = await listAgents(db);
  const isAgentNew = !agents.some((agent) => agent.agent_id === request.agent);
  // Everything that can refuse comes before the first row is written.
  const owner = isAgentNew ? await soleOwner(context, request.agent) : undefined;
  const principal = await principalOf(context, request.principal);
  if (owner !== undefined) {
    await registerAgent(context, request.agent, owner);
    context.tell(`Registered the agent ${request.agent}.`);
  }
  if (principal !== undefined) return { ...request, principal };
  const registeredNow = await registerPrincipal(context, request.principal.toLowerCase());
  context.tell(`Registered the principal ${request.principal} as ${registeredNow}.`);
  return { ...request, principal: registeredNow };
}

/** The register id behind an address or id; undefined for an address that is new here. */
async function principalOf(context: Context, principal: string): Promise<string | undefined> {
  if (!principal.includes('@')) return principal;
  const principals = await listPrincipals(await context.database());
  const known = principals.find(({ email }) => email === principal.toLowerCase());
  if (known === undefined && context.config.mode === 'production')
    throw new UsageError({
      what: `the principal ${principal} is not registered`,
      remedy: `Register it with: countersign principals add ${principal}`,
    });
  return known?.principal_id;
}

async function soleOwner(context: Context, agent: string): Promise<string> {
  const people = (await listPeople(await context.database())).filter(
    ({ person }) => person.active && person.kind === 'human',
  );
  const [first, ...others] = people;
  if (first === undefined)
    throw new UsageError({
      what: 'nobody is enrolled who could answer for an agent, or approve anything',
      remedy:
        'Make a key with `countersign keys new FILE` and enrol it with the code that `countersign up` printed',
    });
  if (context.config.mode === 'production' || others.length > 0)
    throw new UsageError({
      what: `the agent ${agent} is not registered`,
      remedy: `Say who answers for it: countersign agents add ${agent} --owner PERSON`,
    });
  return first.person.person_id;
}

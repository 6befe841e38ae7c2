import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';

const KEPT_OUTPUT_CHARS = 64 * 1024;
const STOP_TIMEOUT_MS = 5_000;

export interface ChildOptions {
  cwd?: string;
  /** The whole environment; by default ours. */
  env?: Record<string, string>;
  /** A file that its output is appended to. */
  log?: string;
  /** Called with each piece of its output. */
  onOutput?: (chunk: string) => void;
  /** How long a clean stop may take. Default 5 s. */
  stopTimeoutMs?: number;
  /** Whom it runs as, where we are root; by default ourselves. */
  user?: { uid: number; gid: number };
}

/** A server of ours in a process of its own. */
export interface Child {
  readonly pid: number;
  /** The exit code, or null where a signal ended it. Never rejects. */
  readonly exited: Promise<number | null>;
  hasExited(): boolean;
  /** The end of what it wrote to stdout and stderr. */
  output(): string;
  /** SIGTERM, then SIGKILL where that takes too long. Resolves once it is gone. */
  stop(): Promise<void>;
  /** SIGKILL. Resolves once it is gone. */
  kill(): Promise<void>;
}

const running = new Set<number>();
process.on('exit', () => {
  for (const pid of running) signalGroup(pid, 'SIGKILL');
});

/**
 * Starts a program in a process group of its own, so that a terminal's Ctrl-C does not reach it before we stop it in the
 * right order. It does not outlive us, however we end.
 *
 * @throws where the program cannot be started
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
  // A log that cannot be written must not end the program that only wanted to keep it.
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
    // 'close' rather than 'exit': its last words are read, and a child of its own that holds the pipes counts as it.
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
 * A shell that waits on a pipe from us and kills the child once the pipe breaks: a SIGKILL, such as a test runner's at its
 * time limit, gives us no chance to do it ourselves.
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

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

const LINE_TIMEOUT_MS = 120_000;
const POLL_MS = 20;

export interface Program {
  stdout(): string;
  stderr(): string;
  /** The exit code, or `null` where a signal ended it. */
  exited: Promise<number | null>;
  /** The first line of either output that holds the text. @throws where it ends, or two minutes pass, without one */
  lineWith(text: string): Promise<string>;
  /** SIGTERM. @returns the exit code */
  stop(): Promise<number | null>;
  kill(): void;
}

/** Runs `node` with nothing of this process's environment but what is given. */
export function startProgram(
  args: readonly string[],
  { cwd, env }: { cwd: string; env: Record<string, string> },
): Program {
  const child = spawn(process.execPath, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  const exited = once(child, 'close').then(([code]) => code as number | null);
  return {
    stdout: () => stdout,
    stderr: () => stderr,
    exited,
    async lineWith(text) {
      let ended = false;
      void exited.then(() => (ended = true));
      for (const giveUpAt = performance.now() + LINE_TIMEOUT_MS; ; await delay(POLL_MS)) {
        const isLast = ended || performance.now() > giveUpAt;
        const found = `${stdout}\n${stderr}`.split('\n').find((line) => line.includes(text));
        if (found !== undefined) return found;
        if (isLast) throw new Error(`no "${text}" in:\n${stdout}${stderr}`);
      }
    },
    async stop() {
      child.kill('SIGTERM');
      return exited;
    },
    kill: () => void child.kill('SIGKILL'),
  };
}

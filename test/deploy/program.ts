import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

const LINE_TIMEOUT_MS = 120_000;
const POLL_MS = 20;

export interface Program {
  stdout(): string;
  stderr(): string;
  /** The exit code, or `null` if a signal ended it. */
  exited: Promise<number | null>;
  /** Returns the first line of either output with the text. @throws if the program ends, or after two minutes */
  lineWith(text: string): Promise<string>;
  /** Sends SIGTERM. @returns the exit code */
  stop(): Promise<number | null>;
  kill(): void;
}

/** Runs `node` with only the given environment. */
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

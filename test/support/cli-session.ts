/** A user's session: types commands and returns what they show. In a terminal it runs the real program. */
import assert from 'node:assert/strict';
import { Screen } from '../../dev/screen.ts';
import { startCli, type CliOptions, type RunningCli } from '../../dev/stack.ts';
import { runCommand } from './cli-here.ts';
import { PROGRAMS } from './programs.ts';

export interface SessionOptions extends CliOptions {
  /** Runs the command in a pseudo-terminal of this size instead of with pipes. */
  terminal?: { columns: number; rows: number };
}

export interface Shown {
  code: number | null;
  /** The contents of stdout; in a terminal what both streams show at the end. */
  screen: string;
  stderr: string;
  /** The output with all control sequences. */
  raw: string;
}

export const TERMINAL = { columns: 100, rows: 40 };

/** Runs a command line, whose words may be in single quotes. */
export function type(
  settings: Record<string, string>,
  line: string,
  options: SessionOptions = {},
): RunningCli & { shown: Promise<Shown> } {
  const [program, ...args] = words(line);
  assert.equal(program, 'role-build');
  const env = { ...settings, ...options.settings };
  const cli =
    options.terminal === undefined
      ? { result: runCommand(args, env, options), pid: 0, kill: () => assert.fail('it is no process') }
      : startCli(args, env, { program: PROGRAMS.client, ...options });
  const shown = cli.result.then(({ code, stdout, stderr }) => ({
    code,
    screen: options.terminal === undefined ? stdout : screenOf(stdout, options.terminal),
    stderr,
    raw: stdout,
  }));
  return { ...cli, shown };
}

export function screenOf(output: string, { columns, rows }: { columns: number; rows: number }): string {
  const screen = new Screen(columns, rows);
  screen.write(output);
  return screen.text();
}

export function documents({ screen }: Pick<Shown, 'screen'>): Record<string, unknown>[] {
  return screen
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** Replaces IDs and times, which differ on each run. */
export function steady(screen: string): string {
  return screen
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'ID')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replaceAll(/(\d+[smh] ago|in \d+s|\bnow\b)/g, 'THEN')
    .replaceAll(/\b(\d+ms|[\d.]+s|\d+m( \d+s)?)\b/g, 'SPAN')
    .replaceAll(/[^\S\n]{2,}/g, '  ');
}

function words(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
}

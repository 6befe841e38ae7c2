import { CommanderError } from 'commander';
import type { Environment } from '../config.ts';
import type { CommandContext, CommandResult } from './commands.ts';
import { defineProgram } from './define/program.ts';
import { CliError } from './errors.ts';
import { EXIT_CODES, type ExitReason } from './exit-codes.ts';
import { createOutput, printable, type Output } from './output.ts';
import type { Services } from './services.ts';

export interface CliStreams {
  stdin: NodeJS.ReadableStream;
  stdout: NodeJS.WritableStream;
  stderr: NodeJS.WritableStream;
}

/**
 * Runs one command.
 *
 * @param args the arguments after the program's name
 * @param signal aborted when the user interrupts
 * @param endsByItself called by a command that ends by itself after an interrupt
 * @returns the exit code
 */
export async function runCli(
  args: readonly string[],
  env: Environment,
  streams: CliStreams,
  signal: AbortSignal,
  endsByItself: () => void = () => undefined,
): Promise<number> {
  const json = args.includes('--json');
  const quiet = args.includes('--quiet') || args.includes('-q');
  const output = createOutput(streams, { env, quiet });
  let reason: ExitReason = 'done';
  const program = defineProgram(async (run) => {
    reason = await runCommand(run, { env, stdin: streams.stdin, output, signal, endsByItself, json });
  }).on('option:version', () => {
    // Before anything else is parsed, as `--help`.
    throw new CommanderError(0, 'role-build.version', '');
  });
  program.configureOutput({
    writeOut: (text) => void streams.stdout.write(text),
    writeErr: (text) => void streams.stderr.write(printable(withoutValues(text))),
    getOutHelpWidth: () => output.terminal.columns ?? 80,
  });
  // Commands copy the program's settings when they are made, and these came later.
  for (const command of program.commands) command.copyInheritedSettings(program);
  try {
    await program.parseAsync(args, { from: 'user' });
    return EXIT_CODES[reason].code;
  } catch (err) {
    if (err instanceof CommanderError && err.code === 'role-build.version') return await showVersion(output, json);
    return await report(err, output, json, signal);
  }
}

async function showVersion(output: Output, json: boolean): Promise<number> {
  const { version } = await import('./version.ts');
  if (json) output.json({ version: version() });
  else output.line(version());
  return EXIT_CODES.done.code;
}

async function runCommand(
  run: (context: CommandContext) => CommandResult,
  given: Omit<CommandContext, 'services'>,
): Promise<ExitReason> {
  let services: Services | undefined;
  try {
    return await run({
      ...given,
      services: async () =>
        (services ??= await (await import('./services.ts')).openServices(given.env, given.output.note)),
    });
  } finally {
    await services?.close();
  }
}

async function report(err: unknown, output: Output, json: boolean, signal: AbortSignal): Promise<number> {
  if (signal.aborted) {
    output.error('interrupted; the build goes on');
    return EXIT_CODES.interrupted.code;
  }
  if (err instanceof CommanderError) {
    if (err.exitCode === 0) return EXIT_CODES.done.code;
    // It has said what was wrong, on stderr.
    if (json) output.json({ error: 'usage' satisfies ExitReason, message: err.message.replace(/^error: /, '') });
    return EXIT_CODES.usage.code;
  }
  const failure = await toCliError(err);
  const { reason, message, hint } = failure;
  output.error(`role-build: ${message}`);
  if (hint !== undefined) output.error(`try: ${hint}`);
  if (json) output.json({ error: reason, message, ...(hint === undefined ? {} : { hint }), ...failure.fields });
  return failure.exitCode;
}

async function toCliError(err: unknown): Promise<CliError> {
  if (err instanceof CliError) return err;
  const { SettingsError } = await import('../config.ts');
  if (err instanceof SettingsError) return new CliError('usage', err.message, { hint: 'role-build config' });
  const { PayloadUnreadableError } = await import('../encryption/unreadable.ts');
  if (err instanceof PayloadUnreadableError) {
    const hint = 'Give the command the keys that the workers have (ENCRYPTION_…)';
    return new CliError('usage', `what Temporal keeps of the build can't be read: ${err.message}. ${hint}`, {
      cause: err,
    });
  }
  return new CliError('unreachable', (err as Error).message, { cause: err });
}

/** A complaint about an option or an argument repeats what was given, which may be a credential. */
function withoutValues(text: string): string {
  return text
    .replace(/(unknown option '--?[^'=\s]*)=[\s\S]*?'(?=\n|$)/, "$1=…'")
    .replace(/(too many arguments .* but got \d+): [\s\S]*/, '$1.\n');
}

import { CommanderError } from 'commander';
import type { Environment } from '../config.ts';
import type { CommandContext, CommandResult } from './commands.ts';
import { defineProgram } from './define/program.ts';
import { CliError } from './errors.ts';
import { EXIT_CODES, type ExitReason } from './exit-codes.ts';
import { createOutput, ReaderGone, type Output } from './output.ts';
import type { Services } from './services.ts';

export interface CliStreams {
  stdin: NodeJS.ReadableStream;
  stdout: NodeJS.WritableStream;
  stderr: NodeJS.WritableStream;
}

/** What becomes of the process while a command runs. */
export interface CliProcess {
  /** Aborted when the user interrupts. */
  signal: AbortSignal;
  /** Rejects with what was thrown and nobody caught. */
  crashed: Promise<never>;
  /** Called by a command that ends by itself after an interrupt. */
  endsByItself(): void;
}

/**
 * Runs one command.
 *
 * @param args the arguments after the program's name
 * @returns the exit code, once all that was printed has been written
 */
export async function runCli(
  args: readonly string[],
  env: Environment,
  streams: CliStreams,
  { signal, crashed, endsByItself }: CliProcess,
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
    writeOut: (text) => output.script(text),
    writeErr: (text) => output.error(withoutValues(text).replace(/\n$/, '')),
    getOutHelpWidth: () => output.terminal.columns ?? 80,
  });
  // Commands copy the program's settings when they are made, and these came later.
  for (const command of program.commands) command.copyInheritedSettings(program);
  const code = await Promise.race([program.parseAsync(args, { from: 'user' }), crashed]).then(
    () => EXIT_CODES[reason].code,
    (err: unknown) => report(err, output, json, signal),
  );
  return output.finished(code);
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
  if (err instanceof ReaderGone) return EXIT_CODES.done.code;
  if (signal.aborted) {
    output.error('interrupted; the build goes on');
    return EXIT_CODES.interrupted.code;
  }
  if (err instanceof CommanderError) {
    if (err.code === 'role-build.version') return showVersion(output, json);
    if (err.exitCode === 0) return EXIT_CODES.done.code;
    // It has said what was wrong, on stderr.
    if (json) output.json({ error: 'usage' satisfies ExitReason, message: err.message.replace(/^error: /, '') });
    return EXIT_CODES.usage.code;
  }
  const failure = err instanceof CliError ? err : (await import('./error-map.ts')).toCliError(err);
  const { reason, hint, fields, trace } = failure;
  const message = output.withoutSecrets(failure.message);
  output.error(`role-build: ${message}`);
  const stack = trace === undefined ? undefined : output.withoutSecrets(trace);
  // Its first line is the message.
  if (stack !== undefined) output.error(stack.replace(/^[^]*?\n(?= {4}at )/, ''));
  if (hint !== undefined) output.error(`try: ${hint}`);
  if (json) output.json({ error: reason, message, hint, ...fields, stack });
  return failure.exitCode;
}

/** A complaint about an option or an argument repeats what was given, which may be a credential. */
function withoutValues(text: string): string {
  return text
    .replace(/(unknown option '--?[^'=\s]*)=[\s\S]*?'(?=\n|$)/, "$1=…'")
    .replace(/(too many arguments .* but got \d+): [\s\S]*/, '$1.\n');
}

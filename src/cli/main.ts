import { CommanderError } from 'commander';
import type { Environment } from '../config/settings.ts';
import type { CommandContext } from './context.ts';
import { defineProgram } from './program.ts';
import { EXIT_CODES, type ExitReason } from './errors/exit-codes.ts';
import { createOutput, ReaderGone, type Output } from './terminal/output.ts';
import type { Services } from './services.ts';

/**
 * Runs one command. Also fails if `crashed` rejects, which means an uncaught error or an overdue interrupt.
 *
 * @param args the arguments after the program's name
 * @returns the exit code, once all output has been written
 */
export async function runCli(
  args: readonly string[],
  env: Environment,
  streams: Pick<CommandContext, 'stdin'> & Parameters<typeof createOutput>[0],
  { signal, endsByItself, crashed }: Pick<CommandContext, 'signal' | 'endsByItself'> & { crashed: Promise<never> },
): Promise<number> {
  const json = args.includes('--json');
  const quiet = args.includes('--quiet') || args.includes('-q');
  const output = createOutput(streams, { env, quiet });
  let reason: ExitReason = 'done';
  let stays = 'the build goes on';
  const ifInterrupted = (what: string) => (stays = what);
  const program = await defineProgram(args, async (ownArgs, run) => {
    let opened: Services | undefined;
    const services = async () =>
      (opened ??= await (await import('./services.ts')).openServices(env, output.note, signal));
    try {
      const context = { env, stdin: streams.stdin, output, args: ownArgs, json, signal, services };
      reason = await run({ ...context, endsByItself, ifInterrupted });
    } finally {
      await opened?.close();
    }
  });
  program.configureOutput({
    writeOut: (text) => output.script(text),
    writeErr: (text) => output.error(withoutValues(text).replace(/\n$/, '')),
    getOutHelpWidth: () => output.terminal.columns ?? 80,
  });
  // Commands copied the program's settings when they were made, before these were set.
  for (const command of program.commands) command.copyInheritedSettings(program);
  const code = await Promise.race([program.parseAsync(args, { from: 'user' }), crashed]).then(
    () => EXIT_CODES[reason].code,
    (err: unknown) => report(err, output, json, signal, stays),
  );
  return output.finished(code);
}

async function report(
  err: unknown,
  output: Output,
  json: boolean,
  signal: AbortSignal,
  stays: string,
): Promise<number> {
  if (err instanceof ReaderGone) return EXIT_CODES.done.code;
  if (signal.aborted) {
    output.error(`interrupted; ${stays}`);
    return EXIT_CODES.interrupted.code;
  }
  if (err instanceof CommanderError) {
    if (err.exitCode === 0) return EXIT_CODES.done.code;
    // Commander has printed the message on stderr already.
    if (json) output.json({ error: 'usage' satisfies ExitReason, message: err.message.replace(/^error: /, '') });
    return EXIT_CODES.usage.code;
  }
  const { toCliError } = await import('./errors/map.ts');
  const failure = toCliError(err);
  const { hint, fields, trace } = failure.details;
  const message = output.withoutSecrets(failure.message);
  const stack = trace === undefined ? undefined : output.withoutSecrets(trace);
  output.error(`role-build: ${message}`);
  // Drops the stack's first lines, which repeat the message.
  if (stack !== undefined) output.error(stack.replace(/^[^]*?\n(?= {4}at )/, ''));
  if (hint !== undefined) output.error(`try: ${hint}`);
  if (json) output.json({ error: failure.reason, message, hint, ...fields, stack });
  return failure.exitCode;
}

/** Removes the given value from a message about an option or an argument, because it may be a credential. */
function withoutValues(text: string): string {
  return text
    .replace(/(unknown option '--?[^'=\s]*)=[\s\S]*?'(?=\n|$)/, "$1=…'")
    .replace(/(too many arguments .* but got \d+): [\s\S]*/, '$1.\n');
}

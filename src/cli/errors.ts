import { EXIT_CODES, type ExitReason } from './exit-codes.ts';

/** Ends the command with a message for a person and an exit code for a program. */
export class CliError extends Error {
  override name = 'CliError';
  readonly reason: ExitReason;
  /** More for `--json`, beside `error`. */
  readonly fields: Record<string, unknown>;
  /** What to try: a command, or a sentence. */
  readonly hint: string | undefined;

  constructor(
    reason: ExitReason,
    message: string,
    options: { fields?: Record<string, unknown>; cause?: unknown; hint?: string } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = reason;
    this.fields = options.fields ?? {};
    this.hint = options.hint;
  }

  get exitCode(): number {
    return EXIT_CODES[this.reason].code;
  }
}

/** No build of that name. */
export function notFound(name: string): CliError {
  return new CliError('notFound', `no build found for ${name}`, {
    hint: 'role-build list shows the builds that Temporal knows, role-build history ACCOUNT the past requests',
  });
}

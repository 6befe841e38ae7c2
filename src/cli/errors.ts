import { EXIT_CODES, type ExitReason } from './exit-codes.ts';

/** Ends the command with a message for a person and an exit code for a program. */
export class CliError extends Error {
  override name = 'CliError';
  readonly reason: ExitReason;
  /** More for `--json`, beside `error`. */
  readonly fields: Record<string, unknown>;
  /** Where in the program it happened; of an internal error alone. */
  readonly trace: string | undefined;
  /** What to try: a command, or a sentence. */
  readonly hint: string | undefined;
  /** The same call may do a moment later: the service was away, or asked to wait. */
  readonly transient: boolean;

  constructor(
    reason: ExitReason,
    message: string,
    options: {
      fields?: Record<string, unknown>;
      cause?: unknown;
      hint?: string;
      transient?: boolean;
      trace?: string;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = reason;
    this.fields = options.fields ?? {};
    this.trace = options.trace;
    this.hint = options.hint;
    this.transient = options.transient ?? false;
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

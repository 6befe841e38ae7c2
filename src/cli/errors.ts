import { EXIT_CODES, type ExitReason } from './exit-codes.ts';

/** Ends the command with a message for a person and an exit code for a program. */
export class CliError extends Error {
  override name = 'CliError';
  readonly reason: ExitReason;
  /** More for `--json`, beside `error`. */
  readonly fields: Record<string, unknown>;

  constructor(
    reason: ExitReason,
    message: string,
    options: { fields?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = reason;
    this.fields = options.fields ?? {};
  }

  get exitCode(): number {
    return EXIT_CODES[this.reason].code;
  }
}

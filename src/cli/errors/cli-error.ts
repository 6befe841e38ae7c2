import { EXIT_CODES, type ExitReason } from './exit-codes.ts';

export interface ErrorDetails {
  cause?: unknown;
  /** Further fields for `--json`, beside `error`. */
  fields?: Record<string, unknown>;
  /** What to try: a command, or a sentence. */
  hint?: string | undefined;
  /** Whether the same call may soon succeed: the service was unavailable, or throttled it. */
  transient?: boolean;
  /** The stack, for an internal error only. */
  trace?: string;
}

/** Ends the command with a message for a person and an exit code for a program. */
export class CliError extends Error {
  override name = 'CliError';
  readonly reason: ExitReason;
  readonly details: ErrorDetails;

  constructor(reason: ExitReason, message: string, details: ErrorDetails = {}) {
    super(message, details);
    this.reason = reason;
    this.details = details;
  }

  get exitCode(): number {
    return EXIT_CODES[this.reason].code;
  }

  get transient(): boolean {
    return this.details.transient ?? false;
  }
}

export function notFound(name: string): CliError {
  return new CliError('notFound', `no build found for ${name}`, {
    hint: 'role-build list shows the builds that Temporal knows, role-build history ACCOUNT the past requests',
  });
}

/** What every command gets, and what it gives back. */
import type { Environment } from '../config/settings.ts';
import type { ExitReason } from './errors/exit-codes.ts';
import type { Output } from './terminal/output.ts';
import type { Services } from './services.ts';

export interface CommandContext {
  env: Environment;
  stdin: NodeJS.ReadableStream;
  output: Output;
  /** The command's arguments, without its options. */
  args: readonly string[];
  /** `--json` was given. */
  json: boolean;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
  /** Says that the command ends by itself after an interrupt, since it has to tidy up first. */
  endsByItself(): void;
  /** What is said after Ctrl-C, in place of "the build goes on". */
  ifInterrupted(what: string): void;
  /** Opens Temporal and DynamoDB; they are closed when the command ends. */
  services(): Promise<Services>;
}

export type CommandResult = Promise<ExitReason>;

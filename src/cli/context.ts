/** What every command gets and returns. */
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
  /** Whether `--json` was given. */
  json: boolean;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
  /** Says that the command will end on its own after an interrupt, because it has to clean up first. */
  endsByItself(): void;
  /** Replaces "the build goes on" in the message after Ctrl-C. */
  ifInterrupted(what: string): void;
  /** Connects to Temporal and DynamoDB; the connections are closed when the command ends. */
  services(): Promise<Services>;
}

export type CommandResult = Promise<ExitReason>;

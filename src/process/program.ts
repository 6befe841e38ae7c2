/** A program that runs until it is stopped: its log, its signals, and its exit code. */
import type { LevelWithSilent, Logger } from 'pino';
import { openLog } from './logger.ts';
import { onStopSignal } from './signals.ts';

/**
 * Runs a program and exits the process: with 0 once it has stopped, with 1 if it failed or got a second stop signal.
 *
 * @param run has to end soon after the signal is aborted
 */
export async function runProgram(
  name: string,
  level: LevelWithSilent,
  run: (logger: Logger, stop: AbortSignal) => Promise<void>,
): Promise<never> {
  const { logger, settled } = await openLog(level);
  const stopping = new AbortController();
  onStopSignal(
    (signal) => {
      logger.info({ signal }, `${name} stopping: finishing the work in progress`);
      stopping.abort();
    },
    (signal) => {
      logger.warn({ signal }, `${name} ended at once`);
      process.exit(1);
    },
  );
  let exitCode = 0;
  try {
    await run(logger, stopping.signal);
    logger.info(`${name} stopped`);
  } catch (err) {
    logger.fatal({ err }, `${name} ended`);
    exitCode = 1;
  }
  await settled();
  // Spans that are still being sent, and the SDK's native half if it never connected, would otherwise delay the exit.
  process.exit(exitCode);
}

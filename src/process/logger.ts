import { pino, type DestinationStream, type LevelWithSilent, type Logger, type LoggerOptions } from 'pino';
import { StandardStream } from './standard-stream.ts';

/** Fields of these names are redacted, at the top level and up to three levels down. */
const SECRET = ['encrypted_jwt', 'encrypted-authorization', 'Encrypted-Authorization'].flatMap((name) => [
  `["${name}"]`,
  `*["${name}"]`,
  `*.*["${name}"]`,
  `*.*.*["${name}"]`,
]);
/** Node.js's error about an invalid URL holds the whole text, including a password. */
const REDACTED = [...SECRET, 'err.input'];

/** How much is buffered if nothing reads stdout. Later lines are dropped, and a warning says how many. */
const MAX_HELD_BYTES = 8 * 2 ** 20;
const LAST_LINES_MS = 1_000;

/**
 * Opens a program's log: JSON lines on stdout, or lines for people if stdout is a terminal. The program goes on if its
 * log can't be written, for example on a full disk, or on a pipe that is closed or that nobody reads.
 */
export async function openLog(level: LevelWithSilent) {
  const stdout = new StandardStream(process.stdout, MAX_HELD_BYTES);
  // Without a listener, an error event would end the program.
  process.stderr.on('error', () => {});
  const logger = createLogger(level, process.stdout.isTTY ? await forPeople(stdout) : stdout);
  stdout.onRoomAgain = (left) => logger.warn({ left }, 'lines of this log were dropped because nothing read them');
  /** Resolves once all is written, or after a second, so that a reader that has stopped doesn't delay the exit. */
  const settled = () => stdout.settled(LAST_LINES_MS);
  return { logger, settled };
}

/** @param destination takes JSON lines */
export function createLogger(level: LevelWithSilent, destination: DestinationStream): Logger {
  const options: LoggerOptions = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: REDACTED, censor: '[redacted]' },
  };
  return pino(options, destination);
}

async function forPeople(stdout: StandardStream): Promise<DestinationStream> {
  const { prettyFactory } = await import('pino-pretty');
  const pretty = prettyFactory({
    translateTime: 'SYS:HH:MM:ss',
    ignore: 'sdkComponent,target,namespace,taskQueue,runId',
  });
  return { write: (line) => stdout.write(pretty(line) ?? '') };
}

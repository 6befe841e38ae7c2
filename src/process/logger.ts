import { pino, type DestinationStream, type LevelWithSilent, type Logger, type LoggerOptions } from 'pino';
import { StandardStream } from './standard-stream.ts';

/** The value of a field of such a name must not be logged: redacted at the top and up to three levels down. */
const SECRET = ['encrypted_jwt', 'encrypted-authorization', 'Encrypted-Authorization'].flatMap((name) => [
  `["${name}"]`,
  `*["${name}"]`,
  `*.*["${name}"]`,
  `*.*.*["${name}"]`,
]);
/** With an address that is no URL Node.js gives it whole, password and all. */
const REDACTED = [...SECRET, 'err.input'];

/** Held for a reader of stdout that does not take it; lines beyond that are left out, and a later line says how many. */
const MAX_HELD_BYTES = 8 * 2 ** 20;
const LAST_LINES_MS = 1_000;

/**
 * What a program logs to: JSON lines on stdout, lines for people if that is a terminal. The program goes on when its log can't
 * be written: on a full disk, behind a pipe that is closed or that nobody empties.
 */
export async function openLog(level: LevelWithSilent) {
  const stdout = new StandardStream(process.stdout, MAX_HELD_BYTES);
  // An error that nobody listens for would end the program.
  process.stderr.on('error', () => {});
  const logger = createLogger(level, process.stdout.isTTY ? await forPeople(stdout) : stdout);
  stdout.onRoomAgain = (left) => logger.warn({ left }, 'lines of this log were dropped because nothing read them');
  /** Resolves once all has been written; sooner if nobody takes it, so that no reader holds up a program's end. */
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

/** Lines for people out of JSON. */
async function forPeople(stdout: StandardStream): Promise<DestinationStream> {
  const { prettyFactory } = await import('pino-pretty');
  const pretty = prettyFactory({
    translateTime: 'SYS:HH:MM:ss',
    ignore: 'sdkComponent,target,namespace,taskQueue,runId',
  });
  return { write: (line) => stdout.write(pretty(line) ?? '') };
}

import { pino, type DestinationStream, type Logger, type LoggerOptions } from 'pino';
import type { LogLevel as TemporalLogLevel, Logger as TemporalLogger, LogMetadata } from '@temporalio/worker';
import type { LogLevel } from './config.ts';
import { StandardStream } from './standard-stream.ts';

/** Whatever a field of such a name holds is not for a log. */
const REDACTED = ['encrypted_jwt', 'encrypted-authorization', 'Encrypted-Authorization'].flatMap((name) => [
  `["${name}"]`,
  `*["${name}"]`,
  `*.*["${name}"]`,
  `*.*.*["${name}"]`,
]);

/** What a program logs to: JSON lines on stdout, lines for people if that is a terminal. */
export interface Log {
  logger: Logger;
  /** Resolves once all has been written; sooner if nobody takes it, so that no reader holds up a program's end. */
  settled(): Promise<void>;
}

/** Held for a reader of stdout that does not take it; lines beyond that are left out, and a later line says how many. */
const MAX_HELD_BYTES = 8 * 2 ** 20;
const LAST_LINES_MS = 1_000;

/** The program goes on when its log can't be written: on a full disk, behind a pipe that is closed or that nobody empties. */
export async function openLog(level: LogLevel): Promise<Log> {
  const stdout = new StandardStream(process.stdout, { maxHeldBytes: MAX_HELD_BYTES });
  // An error that nobody listens for would end the program.
  process.stderr.on('error', () => {});
  const logger = createLogger(level, process.stdout.isTTY ? await forPeople(stdout) : stdout);
  stdout.onRoomAgain = (left) => logger.warn({ left }, 'lines of this log were left out, since nobody took them');
  return { logger, settled: () => stdout.settled(LAST_LINES_MS) };
}

/** @param destination takes JSON lines */
export function createLogger(level: LogLevel, destination: DestinationStream): Logger {
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

const PINO_LEVELS = {
  TRACE: 'trace',
  DEBUG: 'debug',
  INFO: 'info',
  WARN: 'warn',
  ERROR: 'error',
} as const satisfies Record<TemporalLogLevel, string>;

/** The workflow logs its own end, with more to it. */
const OURS_SAYS_IT: ReadonlySet<string> = new Set(['Workflow failed']);

/** What the SDK adds to a line of a task, above all at `trace`: inputs and results, in Base64 where not encrypted. */
const NOT_FOR_A_LOG = ['task', 'taskEncoded', 'start', 'jobs'] as const;

/** At `trace` the SDK logs what it is sent whole: inputs, results and failures, in base64, where no key tells what they are. */
function withoutPayloads(fields: Record<string, unknown>): Record<string, unknown> {
  if (!Object.values(fields).some((value) => typeof value === 'object' && value !== null)) return fields;
  try {
    return JSON.parse(JSON.stringify(fields, withoutPayload)) as Record<string, unknown>;
  } catch {
    return { unreadable: Object.keys(fields) };
  }
}

function withoutPayload(this: Record<string, unknown>, key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  // Not `value`: a Buffer has been made JSON of by then.
  const bytes = this[key];
  if (bytes instanceof Uint8Array) return `[${bytes.length} bytes]`;
  const isPayload = typeof value === 'object' && value !== null && 'metadata' in value && 'data' in value;
  return isPayload ? '[payload]' : value;
}

/** Lets the Temporal SDK, its native half included, log through pino. */
export class TemporalPinoLogger implements TemporalLogger {
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  log(level: TemporalLogLevel, message: string, meta?: LogMetadata): void {
    const pinoLevel = PINO_LEVELS[OURS_SAYS_IT.has(message) ? 'DEBUG' : level];
    // First, since the SDK has much to say of each task at levels that nobody asked for.
    if (!this.#logger.isLevelEnabled(pinoLevel)) return;
    const {
      error,
      timestampNanos: _,
      ...fields
    } = (meta ?? {}) as LogMetadata & { error?: unknown; timestampNanos?: bigint };
    for (const name of NOT_FOR_A_LOG) delete fields[name];
    const shown = withoutPayloads(fields);
    this.#logger[pinoLevel](error === undefined ? shown : { ...shown, err: error }, message);
  }

  trace(message: string, meta?: LogMetadata): void {
    this.log('TRACE', message, meta);
  }
  debug(message: string, meta?: LogMetadata): void {
    this.log('DEBUG', message, meta);
  }
  info(message: string, meta?: LogMetadata): void {
    this.log('INFO', message, meta);
  }
  warn(message: string, meta?: LogMetadata): void {
    this.log('WARN', message, meta);
  }
  error(message: string, meta?: LogMetadata): void {
    this.log('ERROR', message, meta);
  }
}

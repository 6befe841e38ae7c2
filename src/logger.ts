import { pino, type Logger, type LoggerOptions } from 'pino';
import type { LogLevel as TemporalLogLevel, Logger as TemporalLogger, LogMetadata } from '@temporalio/worker';
import type { LogLevel } from './config.ts';

/** Whatever a field of such a name holds is not for a log. */
const REDACTED = ['encrypted_jwt', 'encrypted-authorization', 'Encrypted-Authorization'].flatMap((name) => [
  `["${name}"]`,
  `*["${name}"]`,
  `*.*["${name}"]`,
  `*.*.*["${name}"]`,
]);

/** JSON lines on stdout, or to another stream. */
export function createLogger(level: LogLevel, destination?: NodeJS.WritableStream): Logger {
  const options: LoggerOptions = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: REDACTED, censor: '[redacted]' },
  };
  return pino(options, destination ?? pino.destination({ fd: 1, sync: true }));
}

/** Where stdout is a terminal, a stream that makes lines for people out of JSON and writes them there. */
export async function prettyOnTerminal(): Promise<NodeJS.WritableStream | undefined> {
  if (!process.stdout.isTTY) return undefined;
  const { build } = await import('pino-pretty');
  return build({ sync: true, translateTime: 'SYS:HH:MM:ss', ignore: 'sdkComponent,target,namespace,taskQueue,runId' });
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

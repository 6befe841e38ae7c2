/** Makes the Temporal SDK, including its native half, log through pino. */
import { DefaultLogger, type LogLevel } from '@temporalio/worker';
import type { Level, Logger } from 'pino';

const LEVELS = {
  TRACE: 'trace',
  DEBUG: 'debug',
  INFO: 'info',
  WARN: 'warn',
  ERROR: 'error',
} as const satisfies Record<LogLevel, Level>;

/** The workflow itself logs its end with more detail. */
const LOGGED_BY_US: ReadonlySet<string> = new Set(['Workflow failed']);

/** Fields that the SDK adds to a task's lines, mainly at `trace`: inputs and results, in Base64 if not encrypted. */
const NOT_FOR_A_LOG = new Set(['task', 'taskEncoded', 'start', 'jobs', 'error', 'timestampNanos']);

/** @param onFailed called with the error of each worker that has failed */
export function temporalLogger(logger: Logger, onFailed: (err: unknown) => void = () => {}): DefaultLogger {
  // Keeps the SDK from formatting many lines for each task at levels that are off.
  const lowest = (Object.keys(LEVELS) as LogLevel[]).find((level) => logger.isLevelEnabled(LEVELS[level])) ?? 'ERROR';
  return new DefaultLogger(lowest, ({ level, message, meta = {} }) => {
    const { error: err } = meta as { error?: unknown };
    if (message === 'Worker failed') onFailed(err);
    const pinoLevel = LEVELS[LOGGED_BY_US.has(message) ? 'DEBUG' : level];
    if (!logger.isLevelEnabled(pinoLevel)) return;
    const kept = Object.entries(meta).filter(([name]) => !NOT_FOR_A_LOG.has(name));
    const fields = withoutPayloads(Object.fromEntries(kept));
    logger[pinoLevel](err === undefined ? fields : { ...fields, err }, message);
  });
}

/** At `trace` the SDK logs whole messages: inputs, results, failures, in Base64, which no field name could redact. */
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
  // `value` can't be used: JSON.stringify has called a Buffer's toJSON by now.
  const bytes = this[key];
  if (bytes instanceof Uint8Array) return `[${bytes.length} bytes]`;
  const isPayload = typeof value === 'object' && value !== null && 'metadata' in value && 'data' in value;
  return isPayload ? '[payload]' : value;
}

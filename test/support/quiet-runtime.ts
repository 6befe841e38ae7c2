import { Runtime, type Logger, type LogLevel, type LogMetadata } from '@temporalio/worker';

const KEPT_LINES = 20;
const KEPT_CHARACTERS = 300;
const kept: string[] = [];
let installed = false;

/** Keeps the last warnings and errors of the SDK, including its native part, instead of printing them. */
export const quietLogger: Logger = {
  log: keep,
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: (message, meta) => keep('WARN', message, meta),
  error: (message, meta) => keep('ERROR', message, meta),
};

function keep(level: LogLevel, message: string, meta?: LogMetadata): void {
  if (level !== 'WARN' && level !== 'ERROR') return;
  const error: unknown = meta?.['error'];
  const line = `${level} ${message}${error instanceof Error ? `: ${error.name}: ${error.message}` : ''}`;
  kept.push(line.slice(0, KEPT_CHARACTERS));
  if (kept.length > KEPT_LINES) kept.shift();
}

/** Silences the workers of this process. A process can do so only once, so tests must use this function. */
export function quietRuntime(): Logger {
  if (!installed) {
    Runtime.install({
      logger: quietLogger,
      shutdownSignals: [],
      telemetryOptions: { logging: { filter: { core: 'WARN', other: 'ERROR' }, forward: {} } },
    });
    installed = true;
  }
  return quietLogger;
}

/** Returns the kept warnings, for the message of a test that timed out. */
export function lastWarnings(): string {
  return kept.length === 0 ? '(no warnings)' : kept.join('\n');
}

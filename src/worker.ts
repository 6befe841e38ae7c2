/**
 * The worker program: reads the environment and runs a worker. It listens for signals before it loads anything else,
 * because the first process of a container (PID 1) ignores a signal without a handler. Otherwise the worker would
 * start, poll, and be killed with steps in progress.
 */
import { exitOnStopSignal } from './process/signals.ts';

exitOnStopSignal();
const { readBoth, readSettings, WORKER_SETTINGS } = await import('./config/settings.ts');
const { settingsOrExit } = await import('./config/surroundings.ts');
const { loadTemporalConfig } = await import('./config/temporal.ts');
const { readTracing } = await import('./config/tracing.ts');
const { runProgram } = await import('./process/program.ts');
const { runWorker } = await import('./worker/run.ts');

const [settings, temporal] = settingsOrExit('worker', process.env, () =>
  readBoth(
    () => readSettings(process.env, WORKER_SETTINGS),
    () => loadTemporalConfig(process.env),
  ),
);
await runProgram('worker', settings.LOG_LEVEL, (logger, stop) => {
  const tracing = readTracing(process.env, (text) => logger.warn(text));
  return runWorker({ settings, temporal, tracing, logger, stop });
});

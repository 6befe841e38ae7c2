#!/usr/bin/env node
/** The command line `role-build`: reads the environment, runs one command, ends with its exit code. */
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { EXIT_CODES } from './cli/errors/exit-codes.ts';
import { cachePath, ownFolder } from './config/own-files.ts';
import { onStopSignal } from './process/signals.ts';

// Keeps V8's code between runs, in a folder that only this user writes to: it is run. Without one, nothing is lost but time.
try {
  enableCompileCache(ownFolder(join(cachePath(process.env), 'v8')));
} catch {
  // Node.js takes NODE_COMPILE_CACHE all the same.
}

const interrupted = new AbortController();
onStopSignal(
  () => interrupted.abort(),
  () => process.exit(EXIT_CODES.interrupted.code),
);
const crashed = new Promise<never>((_, reject) => process.on('uncaughtException', reject));
crashed.catch(() => {
  // The race below tells.
});

// Not before the cache is on.
const { runCli } = await import('./cli/main.ts');
let endsByItself = false;
/** A command may be waiting for a service; an interrupt ends it all the same. */
const isLate = (afterMs: number) =>
  new Promise<void>((resolve) => {
    interrupted.signal.addEventListener('abort', () => {
      if (!endsByItself) setTimeout(resolve, afterMs).unref();
    });
  });
const cut = isLate(500).then(() => Promise.reject(interrupted.signal.reason as Error));
const code = runCli(process.argv.slice(2), process.env, process, {
  signal: interrupted.signal,
  crashed: Promise.race([crashed, cut]),
  endsByItself: () => (endsByItself = true),
});
// Nor for whoever does not read what it prints.
const stopped = isLate(1_000).then(() => EXIT_CODES.interrupted.code);
process.exit(await Promise.race([code, stopped]));

#!/usr/bin/env node
/** The command line `role-build`: reads the environment, runs one command, ends with its exit code. */
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { EXIT_CODES } from './cli/errors/exit-codes.ts';
import { cachePath, ownFolder } from './config/own-files.ts';
import { onStopSignal } from './process/signals.ts';

// Caches compiled code between runs, in a folder that only this user can write to, because the code in it is executed.
try {
  enableCompileCache(ownFolder(join(cachePath(process.env), 'v8')));
} catch {
  // Without the folder, the start is only slower. Node.js still uses NODE_COMPILE_CACHE if it is set.
}

const interrupted = new AbortController();
onStopSignal(
  () => interrupted.abort(),
  () => process.exit(EXIT_CODES.interrupted.code),
);
const crashed = new Promise<never>((_, reject) => process.on('uncaughtException', reject));
crashed.catch(() => {
  // The race below reports the error. This handler only prevents an unhandled rejection.
});

// A dynamic import, so that these modules load after the cache is enabled.
const { runCli } = await import('./cli/main.ts');
let endsByItself = false;
/** Resolves some time after an interrupt, because a command may wait for a service, unless it tidies up itself. */
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
// Output that nobody reads doesn't hold up an interrupt either.
const stopped = isLate(1_000).then(() => EXIT_CODES.interrupted.code);
process.exit(await Promise.race([code, stopped]));

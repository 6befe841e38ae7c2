import { setFlagsFromString } from 'node:v8';

/** V8's own flag for how much garbage may pile up before the old is collected: as much as half of what is in use. */
const HEAP_GROWTH = '--heap-growing-percent=50';
/** Of the two halves that new objects are made in, in MB. V8's default is up to 64; what encrypting leaves fills that. */
const NEW_OBJECTS = '--max-semi-space-size=8';
/**
 * glibc gives a thread a heap of its own, up to eight for each core, and what is free in one serves no other thread.
 * https://www.gnu.org/software/libc/manual/html_node/Memory-Allocation-Tunables.html
 */
const ALLOCATOR_HEAPS = '2';
/** Threads of the SDK's native half, which are one a core by default: what it does is a sixth of a worker's CPU. */
const NATIVE_THREADS = '1';

/**
 * Has a worker hold its builds in less memory, and poll with less CPU: docs/benchmarks.md. Before the SDK is loaded, which reads
 * `TOKIO_WORKER_THREADS` as it begins. Two of the settings are read at a process's start alone, so the program starts anew in its
 * own process (execve) and keeps its ID, its files and its arguments. Where `MALLOC_ARENA_MAX` is set it does not: whoever sets it
 * has chosen. What `NODE_OPTIONS` and `TOKIO_WORKER_THREADS` say of the same prevails.
 */
export function applyProcessSettings(env: NodeJS.ProcessEnv): void {
  setFlagsFromString(HEAP_GROWTH);
  env['TOKIO_WORKER_THREADS'] ??= NATIVE_THREADS;
  if (process.platform !== 'linux' || env['MALLOC_ARENA_MAX'] !== undefined) return;
  process.execve?.(process.execPath, [process.execPath, ...process.execArgv, ...process.argv.slice(1)], {
    ...env,
    MALLOC_ARENA_MAX: ALLOCATOR_HEAPS,
    NODE_OPTIONS: [NEW_OBJECTS, env['NODE_OPTIONS']].filter(Boolean).join(' '),
  });
}

/** npm and terminals deliver one Ctrl-C twice; two signals within this time count as one. */
const SAME_SIGNAL_MS = 1_000;

const exit = () => process.exit(0);

/** Exits at a SIGINT or SIGTERM, until {@link onStopSignal} replaces this handler by a clean stop. */
export function exitOnStopSignal(): void {
  process.on('SIGINT', exit);
  process.on('SIGTERM', exit);
}

/**
 * Stops a program cleanly at the first SIGINT or SIGTERM, and at once at the second.
 *
 * @param stop begins the clean stop; called once
 * @param now ends the program at once
 */
export function onStopSignal(stop: (signal: NodeJS.Signals) => void, now: (signal: NodeJS.Signals) => void): void {
  let firstAt: number | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    if (firstAt === undefined) {
      firstAt = performance.now();
      stop(signal);
    } else if (performance.now() - firstAt > SAME_SIGNAL_MS) {
      now(signal);
    }
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal).off(signal, exit);
}

import PQueue from 'p-queue';

/** Concurrent calls: enough not to wait for each answer in turn, and no burden to a server. */
const CONCURRENCY = 16;

/** @returns the results in the items' order */
export function inParallel<T, R>(items: readonly T[], run: (item: T) => Promise<R>): Promise<R[]> {
  return new PQueue({ concurrency: CONCURRENCY }).addAll(items.map((item) => () => run(item)));
}

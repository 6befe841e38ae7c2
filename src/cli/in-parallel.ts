import PQueue from 'p-queue';

/** Enough calls at a time not to wait for each answer in turn, and few enough not to burden a server. */
const CONCURRENCY = 16;

/** @returns the results in the items' order */
export function inParallel<T, R>(items: readonly T[], run: (item: T) => Promise<R>): Promise<R[]> {
  return new PQueue({ concurrency: CONCURRENCY }).addAll(items.map((item) => () => run(item)));
}

import PQueue from 'p-queue';

/** Enough that a walk does not wait for one answer after the other, and no burden to a server. */
const CONCURRENCY = 16;

/** @returns the results in the items' order */
export function inParallel<T, R>(items: readonly T[], run: (item: T) => Promise<R>): Promise<R[]> {
  return new PQueue({ concurrency: CONCURRENCY }).addAll(items.map((item) => () => run(item)));
}

/** The progress bar. It is only drawn on a terminal, and is no wider than the terminal. */
import { startLive } from '../../terminal/live.ts';
import type { Terminal } from '../../terminal/terminal.ts';
import { took } from '../../terminal/times.ts';

export interface Counts {
  /** Requests whose outcome is known. */
  done: number;
  started: number;
  /** `undefined` if builds are not followed. */
  inFlight: number | undefined;
  failed: number;
}

const BAR = { most: 40, least: 10 };
const DEFAULT_COLUMNS = 80;

/** @returns what to call when a count has changed, and when the batch has ended */
export function showProgress(
  terminal: Terminal | undefined,
  total: number,
  counts: () => Counts,
): { update: () => void; stop: () => void } {
  if (terminal === undefined || total === 0) return { update: () => undefined, stop: () => undefined };
  const startedAt = Date.now();
  const width = () => (terminal.columns ?? DEFAULT_COLUMNS) - 1;
  const live = startLive({ terminal }, () => progressLine(counts(), total, (Date.now() - startedAt) / 1_000, width()));
  return { update: live.draw, stop: live.clear };
}

/** @param width the longest line; the least important parts are left out to fit */
function progressLine(counts: Counts, total: number, seconds: number, width: number): string {
  const { done, started, inFlight, failed } = counts;
  const perSecond = Math.round(started / Math.max(1, seconds));
  const parts = [
    `${Math.floor((100 * done) / total)}% ${done}/${total}`,
    ...(failed === 0 ? [] : [`${failed} failed`]),
    ...(inFlight === undefined ? [] : [`${inFlight} in flight`]),
    ...(perSecond === 0 ? [] : [`${perSecond} starts/s`]),
    ...(done === 0 || done === total ? [] : [`${took((1_000 * seconds * (total - done)) / done)} left`]),
  ];
  while (parts.length > 1 && parts.join(' · ').length + 1 + BAR.least > width) parts.pop();
  const text = parts.join(' · ');
  const size = Math.min(BAR.most, width - text.length - 1);
  if (size < BAR.least) return text.slice(0, width);
  const full = Math.round((size * done) / total);
  return `${'█'.repeat(full)}${'░'.repeat(size - full)} ${text}`;
}

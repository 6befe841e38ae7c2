import cliProgress, { type Options, type Params } from 'cli-progress';
import type { Terminal } from '../terminal.ts';
import { took } from '../times.ts';

// A CommonJS module, of which Node.js does not find every name.
const { Format, Presets, SingleBar } = cliProgress;

export interface Counts {
  started: number;
  /** `undefined` where builds are not followed. */
  inFlight: number | undefined;
  failed: number;
}

export interface Progress {
  /** @param done requests whose outcome is known */
  update(done: number, counts: Counts): void;
  stop(): void;
}

const NONE: Progress = { update: () => undefined, stop: () => undefined };
const BAR = { most: 40, least: 10 };
const DEFAULT_COLUMNS = 80;

/** A bar as wide as the terminal has room for; nothing without a terminal. */
export function showProgress(terminal: Terminal | undefined, total: number): Progress {
  if (terminal === undefined || total === 0) return NONE;
  const bar = new SingleBar(
    {
      stream: terminal.stream,
      format: (options, params, { counts }: { counts: Counts }) =>
        progressLine(options, params, counts, (terminal.columns ?? DEFAULT_COLUMNS) - 1),
      hideCursor: true,
      clearOnComplete: true,
      etaBuffer: 100,
    },
    Presets.shades_classic,
  );
  bar.start(total, 0, { counts: { started: 0, inFlight: undefined, failed: 0 } });
  return { update: (done, counts) => bar.update(done, { counts }), stop: () => bar.stop() };
}

/** @param width no line is longer: what matters least is left out first */
function progressLine(options: Options, params: Params, counts: Counts, width: number): string {
  const { progress, value, total, eta, startTime } = params;
  const { started, inFlight, failed } = counts;
  const perSecond = Math.round(started / Math.max(1, (Date.now() - startTime) / 1_000));
  const parts = [
    `${Math.floor(100 * progress)}% ${value}/${total}`,
    ...(failed === 0 ? [] : [`${failed} failed`]),
    ...(inFlight === undefined ? [] : [`${inFlight} in flight`]),
    ...(perSecond === 0 ? [] : [`${perSecond} starts/s`]),
    ...(Number.isFinite(eta) && eta > 0 ? [`${took(1_000 * eta)} left`] : []),
  ];
  while (parts.length > 1 && parts.join(' · ').length > width) parts.pop();
  const text = parts.join(' · ');
  const barsize = Math.min(BAR.most, width - text.length - 1);
  return barsize < BAR.least ? text.slice(0, width) : `${Format.BarFormat(progress, { ...options, barsize })} ${text}`;
}

/** Formats the rows, for the terminal and for the pages. */
import { CONTENDERS } from '../measure/contenders.ts';
import { ratios, spreadOf, type Spread } from '../measure/statistics.ts';
import type { Row } from '../figures/figure.ts';

/** The contender that the others are compared with. */
const OURS = 'roleBuild';

export function nameOf(contender: string): string {
  return (CONTENDERS as Record<string, string>)[contender] ?? contender;
}

/** Formats a value, or the median of several rounds with their range: `8.2 (7.9–8.4)`. */
export function shown(values: readonly number[] | undefined): string {
  if (values === undefined) return '';
  // A value that could not be measured is NaN, or `null` if it was read from JSON.
  const known = values.filter((value) => Number.isFinite(value));
  if (known.length === 0) return '–';
  const { median, least, most } = spreadOf(known);
  return known.length === 1 || least === most ? digits(median) : `${digits(median)} (${digits(least)}–${digits(most)})`;
}

/** Returns the contender that the others are compared with: `roleBuild`, or the first of a row without it. */
function first({ values }: Row): string {
  return OURS in values ? OURS : (Object.keys(values)[0] ?? OURS);
}

/** Returns the median of that contender, with its name if it is not `roleBuild`. */
export function oursOf(row: Row): string {
  return medianOf(row, first(row));
}

/** Returns the medians of the others: `plain Temporal 18.3; DBOS + PostgreSQL 69`. */
export function othersOf(row: Row): string {
  return Object.keys(row.values)
    .filter((contender) => contender !== first(row))
    .map((contender) => medianOf(row, contender))
    .join('; ');
}

function medianOf(row: Row, contender: string): string {
  const known = (row.values[contender] ?? []).filter((value) => Number.isFinite(value));
  const value = known.length === 0 ? '–' : digits(spreadOf(known).median);
  return contender === OURS ? value : `${nameOf(contender)} ${value}`;
}

/** Rounds to three significant digits, the precision of the measurements. */
function digits(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 100) return Math.round(value).toLocaleString('en');
  return String(Number(value.toPrecision(3)));
}

/** Returns the ratio of the row's first contender to a peer. */
export function ratioOf(row: Row, peer: string): Spread | undefined {
  const ours = row.values[first(row)];
  const theirs = row.values[peer];
  if (ours === undefined || theirs === undefined || theirs === ours) return undefined;
  const known = ratios(ours, theirs).filter((ratio) => Number.isFinite(ratio));
  return known.length === 0 ? undefined : spreadOf(known);
}

/** Formats each ratio: `0.62 (0.6–0.65) of plain Temporal`. */
export function ratiosOf(row: Row): string {
  return Object.keys(row.values)
    .flatMap((peer) => {
      const ratio = ratioOf(row, peer);
      return ratio === undefined ? [] : [`${shown([ratio.median, ratio.least, ratio.most])} × ${nameOf(peer)}`];
    })
    .join(', ');
}

/** Returns the bar and whether it is met; empty if the row has none. */
export function verdictOf(row: Row): string {
  if (row.atMost !== undefined) {
    const value = spreadOf(row.values[OURS] ?? []).most;
    return `at most ${digits(row.atMost)}: ${value <= row.atMost ? 'held' : 'not held'}`;
  }
  if (row.bar === undefined) return '';
  const { against, is, bar, goal } = row.bar;
  const ratio = ratioOf(row, against)?.median;
  const wanted = `${is} ${bar}`;
  if (ratio === undefined) return wanted;
  const holds = (limit: number) => (is === 'at most' ? ratio <= limit : ratio >= limit);
  const goalHeld = goal !== undefined && holds(goal) ? `, and the goal of ${goal}` : '';
  return `${wanted}: ${holds(bar) ? `held${goalHeld}` : 'not held'}`;
}

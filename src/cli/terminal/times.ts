/** Formats times for people. Programs get ISO 8601. */
import prettyMilliseconds from 'pretty-ms';
import { parseIsoTime } from '../../domain/iso-time.ts';

/** Formats a duration in at most two units. */
export function took(ms: number): string {
  const clean = Math.max(0, ms);
  return clean < 1_000
    ? `${Math.round(clean)}ms`
    : prettyMilliseconds(clean, { unitCount: 2, secondsDecimalDigits: clean < 10_000 ? 1 : 0 });
}

/** Returns `3m ago` or `in 48s`; a text that is not a time is returned unchanged. */
export function relative(time: string, nowMs = Date.now()): string {
  const at = parseIsoTime(time);
  if (Number.isNaN(at)) return time;
  const ms = at - nowMs;
  if (Math.abs(ms) < 1_000) return 'now';
  const span = prettyMilliseconds(Math.abs(ms), { compact: true });
  return ms < 0 ? `${span} ago` : `in ${span}`;
}

/** Formats the time between two times; returns an empty text unless both are valid. */
export function tookBetween(from: string | undefined, to: string | undefined): string {
  const ms = parseIsoTime(to ?? '') - parseIsoTime(from ?? '');
  return Number.isNaN(ms) ? '' : took(ms);
}

const UNITS_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

/** Reads `2h` or `3d` before now, or an ISO 8601 time. @returns ISO 8601, or `undefined` for neither */
export function parseSince(text: string, nowMs = Date.now()): string | undefined {
  const span = /^(\d{1,6})([smhdw])$/.exec(text);
  if (span !== null) {
    const ms = Number(span[1]) * UNITS_MS[span[2] as keyof typeof UNITS_MS];
    return since(nowMs - ms);
  }
  const at = parseIsoTime(text);
  return Number.isNaN(at) ? undefined : since(at);
}

/** Replaces times before 1970, which servers may refuse: no build began then. */
function since(ms: number): string {
  return new Date(Math.max(0, ms)).toISOString();
}

import type { Curve } from '../figures/figure.ts';
import { nameOf } from './summary.ts';

const WIDTH = 640;
const HEIGHT = 360;
const MARGIN = { top: 44, right: 150, bottom: 48, left: 70 };
/** Colours that people with colour blindness can tell apart. https://jfly.uni-koeln.de/color/ */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00'];
const TICKS = 5;

export function plotOf(curve: Curve): string {
  const lines = Object.entries(curve.lines).flatMap(([name, points]) =>
    points === undefined ? [] : [{ name, points: points.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y)) }],
  );
  const all = lines.flatMap(({ points }) => points);
  const isLogarithmic = (axis: 'x' | 'y') => curve.logarithmic?.includes(axis) === true;
  const across = axisOf(
    all.map(([px]) => px),
    isLogarithmic('x'),
  );
  const up = axisOf(
    all.map(([, py]) => py),
    isLogarithmic('y'),
  );
  const x = (value: number) => MARGIN.left + across.shareOf(value) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (value: number) => HEIGHT - MARGIN.bottom - up.shareOf(value) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const [left, right] = [MARGIN.left, WIDTH - MARGIN.right];
  const bottom = HEIGHT - MARGIN.bottom;
  return svg(curve.title, [
    ...up.ticks.map((value) => line(left, y(value), right, y(value), '#ddd')),
    ...up.ticks.map((value) => text(left - 8, y(value) + 4, tick(value), 'end')),
    ...across.ticks.map((value) => text(x(value), bottom + 20, tick(value), 'middle')),
    text((left + right) / 2, HEIGHT - 8, curve.x, 'middle'),
    text(left, MARGIN.top - 10, curve.y, 'end'),
    ...lines.flatMap(({ name, points }, i) => {
      const colour = COLOURS[i % COLOURS.length] as string;
      const path = points.map(([px, py]) => `${x(px).toFixed(1)},${y(py).toFixed(1)}`).join(' ');
      const legendY = MARGIN.top + 12 + i * 20;
      return [
        `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`,
        ...points.map(
          ([px, py]) => `<circle cx="${x(px).toFixed(1)}" cy="${y(py).toFixed(1)}" r="3" fill="${colour}"/>`,
        ),
        line(WIDTH - MARGIN.right + 10, legendY - 4, WIDTH - MARGIN.right + 28, legendY - 4, colour, 2),
        text(WIDTH - MARGIN.right + 34, legendY, nameOf(name), 'start'),
      ];
    }),
  ]);
}

interface Axis {
  ticks: number[];
  /** Maps a value to its position on the axis, from 0 to 1. */
  shareOf(value: number): number;
}

function axisOf(values: readonly number[], isLogarithmic: boolean): Axis {
  if (!isLogarithmic) {
    const max = niceAbove(Math.max(...values));
    return {
      ticks: Array.from({ length: TICKS + 1 }, (_, i) => (i / TICKS) * max),
      shareOf: (value) => value / max,
    };
  }
  const positive = values.filter((value) => value > 0);
  const from = Math.floor(Math.log10(Math.min(...positive)));
  const to = Math.max(from + 1, Math.ceil(Math.log10(Math.max(...positive))));
  return {
    ticks: Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i)),
    shareOf: (value) => Math.max(0, (Math.log10(value) - from) / (to - from)),
  };
}

/** Returns the smallest 1, 2 or 5 times a power of ten that is not below the value. */
function niceAbove(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((factor) => factor * power >= value) ?? 10) * power;
}

function tick(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString('en');
}

function line(x1: number, y1: number, x2: number, y2: number, colour: string, width = 1): string {
  const at = [x1, y1, x2, y2].map((value) => value.toFixed(1));
  return `<line x1="${at[0]}" y1="${at[1]}" x2="${at[2]}" y2="${at[3]}" stroke="${colour}" stroke-width="${width}"/>`;
}

function text(x: number, y: number, content: string, anchor: 'start' | 'middle' | 'end', more = ''): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}"${more}>${escaped(content)}</text>`;
}

function svg(title: string, content: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="${escaped(title)}" font-family="sans-serif" font-size="12" fill="#222">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    text(WIDTH / 2, 20, title, 'middle', ' font-size="15"'),
    ...content,
    '</svg>',
    '',
  ].join('\n');
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/** Draws a terminal's output as an animated SVG: all frames side by side, and a window that jumps along them. */
import type { Cell } from '../dev/screen.ts';

export interface Frame {
  atMs: number;
  lines: Cell[][];
}

const CHARACTER = { width: 8.4, height: 19 } as const;
const PADDING = 16;
/** The colours of SGR 30 to 37, on a dark background. */
const COLOURS = ['#6e7681', '#ff7b72', '#7ee787', '#e3b341', '#79c0ff', '#d2a8ff', '#76e3ea', '#e6edf3'];
const LAST_FRAME_MS = 2_000;

export function drawSvg(
  frames: readonly Frame[],
  terminal: { columns: number; rows: number },
  lengthMs: number,
  title: string,
): string {
  const width = Math.ceil(terminal.columns * CHARACTER.width) + 2 * PADDING;
  const height = terminal.rows * CHARACTER.height + 2 * PADDING;
  const totalMs = lengthMs + LAST_FRAME_MS;
  const lines = new Map<string, string>();
  const drawn = frames.map(({ lines: own }, i) => {
    const uses = own.map((line, row) => {
      const markup = drawLine(line);
      if (markup === '') return '';
      if (!lines.has(markup)) lines.set(markup, `l${lines.size}`);
      return `<use href="#${lines.get(markup)}" y="${row * CHARACTER.height}"/>`;
    });
    return `<g transform="translate(${i * width} 0)">${uses.join('')}</g>`;
  });
  const stops = frames.map(
    ({ atMs }, i) => `${((100 * atMs) / totalMs).toFixed(3)}%{transform:translateX(${-i * width}px)}`,
  );
  const end = `transform:translateX(${-(frames.length - 1) * width}px)`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<title>${escaped(title)}</title>
<style>
text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#e6edf3;white-space:pre}
.film{${end};animation:film ${totalMs}ms steps(1,end) infinite}
@keyframes film{0%{transform:translateX(0)}${stops.join('')}100%{${end}}}
@media (prefers-reduced-motion:reduce){.film{animation:none}}
</style>
<defs>${[...lines].map(([markup, id]) => `<text id="${id}" y="${CHARACTER.height - 5}">${markup}</text>`).join('\n')}</defs>
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
<svg x="${PADDING}" y="${PADDING}" width="${width - 2 * PADDING}" height="${height - 2 * PADDING}" overflow="hidden">
<g class="film">${drawn.join('\n')}</g>
</svg>
</svg>
`;
}

/** Draws runs of cells of the same style, each at its own x, so that columns align in a font of other widths. */
function drawLine(line: readonly Cell[]): string {
  const runs: { x: number; text: string; style: string }[] = [];
  line.forEach((cell, column) => {
    const style = styleOf(cell.style);
    const last = runs.at(-1);
    if (last?.style === style) last.text += cell.text;
    else runs.push({ x: column * CHARACTER.width, text: cell.text, style });
  });
  while (runs.at(-1)?.text.trim() === '') runs.pop();
  return runs
    .filter(({ text }) => text.trim() !== '')
    .map(({ x, text, style }) => {
      const length = Number((text.length * CHARACTER.width).toFixed(1));
      return `<tspan x="${Number(x.toFixed(1))}" textLength="${length}"${style}>${escaped(text)}</tspan>`;
    })
    .join('');
}

function styleOf(style: readonly number[]): string {
  const colour = style.findLast((n) => n >= 30 && n <= 37);
  return [
    ...(colour === undefined ? [] : [` fill="${COLOURS[colour - 30]}"`]),
    ...(style.includes(1) ? [' font-weight="bold"'] : []),
    ...(style.includes(2) ? [' fill-opacity="0.65"'] : []),
    ...(style.includes(4) ? [' text-decoration="underline"'] : []),
  ].join('');
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** Writes what a run has found: numbers as JSON, curves as SVG, and the measured part of docs/benchmarks.md. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import type { Figure, Result } from '../figures/figure.ts';
import { plotOf } from './plot.ts';
import { nameOf, ratiosOf, shown, verdictOf } from './summary.ts';

const PAGE = fileURLToPath(new URL('../../docs/benchmarks.md', import.meta.url));
const FOLDER = fileURLToPath(new URL('../../docs/benchmarks/', import.meta.url));
/** What stands between these in the page is written anew. */
const BEGIN = '<!-- measured: begin -->';
const END = '<!-- measured: end -->';

/** A figure of one run. */
export interface Measured {
  /** ISO 8601. */
  at: string;
  form: 'quick' | 'full';
  seconds: number;
  machine: { cpu: string; cores: number; memory_gb: number; load_average: number; node: string; platform: string };
  result: Result;
}

/** @param measured by the figure's name; figures that it lacks are left as they were */
export async function writeReport(measured: Record<string, Measured>, figures: readonly Figure[]): Promise<void> {
  await mkdir(FOLDER, { recursive: true });
  const path = `${FOLDER}results.json`;
  const earlier = await readFile(path, 'utf8').then(
    (text) => JSON.parse(text) as Record<string, Measured>,
    () => ({}),
  );
  const all: Record<string, Measured> = { ...earlier, ...measured };
  await writeFormatted(path, JSON.stringify(all));
  const parts: string[] = [];
  for (const { name, title } of figures) {
    const found = all[name];
    if (found === undefined) continue;
    parts.push(`### ${title}`, sectionOf(found));
    for (const curve of found.result.curves ?? []) {
      const file = `${name}-${curve.name}.svg`;
      await writeFile(`${FOLDER}${file}`, plotOf(curve));
      parts.push(`![${curve.title}](benchmarks/${file})`);
    }
  }
  const page = await readFile(PAGE, 'utf8');
  const [before, after] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (before < 0 || after < 0) throw new Error(`${PAGE} has no place for what was measured`);
  const written = `${page.slice(0, before)}${BEGIN}\n\n${parts.join('\n\n')}\n\n${page.slice(after)}`;
  await writeFormatted(PAGE, written);
}

/** As the static checks want it. */
async function writeFormatted(path: string, content: string): Promise<void> {
  await writeFile(path, await format(content, { ...(await resolveConfig(path)), filepath: path }));
}

function sectionOf({ result, at, form, machine }: Measured): string {
  const contenders = [...new Set(result.rows.flatMap(({ values }) => Object.keys(values)))];
  const header = ['', ...contenders.map(nameOf), 'ratio', 'bar'];
  const rows = result.rows.map((row) => [
    `${row.what}, ${row.unit}`,
    ...contenders.map((contender) => shown(row.values[contender])),
    ratiosOf(row),
    verdictOf(row),
  ]);
  const lines = [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  const where = `${at.slice(0, 10)}, ${form} form, ${machine.cores} cores of ${machine.cpu}, load average ${machine.load_average}, Node.js ${machine.node}.`;
  return [lines.join('\n'), [...result.notes, where].join(' ')].join('\n\n');
}

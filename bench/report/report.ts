/**
 * Writes the results of a run: numbers as JSON, curves as SVG, a summary table in docs/benchmarks.md, and in
 * bench/README.md each figure with its ratios and how it was measured.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import type { Figure, Result } from '../figures/figure.ts';
import { plotOf } from './plot.ts';
import { nameOf, othersOf, oursOf, ratiosOf, shown, verdictOf } from './summary.ts';

const PAGE = fileURLToPath(new URL('../../docs/benchmarks.md', import.meta.url));
const NOTEBOOK = fileURLToPath(new URL('../README.md', import.meta.url));
const FOLDER = fileURLToPath(new URL('../../docs/benchmarks/', import.meta.url));
/** Everything between these markers is replaced in both files. */
const BEGIN = '<!-- measured: begin -->';
const END = '<!-- measured: end -->';

export interface Measured {
  /** ISO 8601. */
  at: string;
  form: 'quick' | 'full';
  seconds: number;
  machine: { cpu: string; cores: number; memory_gb: number; load_average: number; node: string; platform: string };
  result: Result;
}

type Titled = Pick<Figure, 'name' | 'title'>;

/** @param measured by the figure's name; figures that are missing keep their results */
export async function writeReport(measured: Record<string, Measured>, figures: readonly Titled[]): Promise<void> {
  await mkdir(FOLDER, { recursive: true });
  const path = `${FOLDER}results.json`;
  const earlier = await readFile(path, 'utf8').then(
    (text) => JSON.parse(text) as Record<string, Measured>,
    () => ({}),
  );
  const all: Record<string, Measured> = { ...earlier, ...measured };
  await writeFormatted(path, JSON.stringify(all));
  for (const { name } of figures) {
    for (const curve of all[name]?.result.curves ?? []) {
      await writeFile(`${FOLDER}${name}-${curve.name}.svg`, plotOf(curve));
    }
  }
  await writeBetween(PAGE, summaryOf(all, figures));
  await writeBetween(NOTEBOOK, sectionsOf(all, figures));
}

async function writeBetween(path: string, text: string): Promise<void> {
  const page = await readFile(path, 'utf8');
  const [before, after] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (before < 0 || after < 0) throw new Error(`${path} has no place for what was measured`);
  await writeFormatted(path, `${page.slice(0, before)}${BEGIN}\n\n${text}\n\n${page.slice(after)}`);
}

/** Formats the file as `npm run check` requires. */
async function writeFormatted(path: string, content: string): Promise<void> {
  await writeFile(path, await format(content, { ...(await resolveConfig(path)), filepath: path }));
}

/** Returns a table with the medians of the rows that have a goal. */
export function summaryOf(all: Record<string, Measured>, figures: readonly Titled[]): string {
  const rows = figures
    .flatMap(({ name }) => all[name]?.result.rows ?? [])
    .filter((row) => verdictOf(row) !== '')
    .map((row) => [`${row.what}, ${row.unit}`, oursOf(row), othersOf(row), verdictOf(row)]);
  return tableOf(['measured', 'roleBuild', 'beside it', 'goal'], rows);
}

/** Returns a section for each figure, with its rounds, ratios, curves and notes. */
export function sectionsOf(all: Record<string, Measured>, figures: readonly Titled[]): string {
  return figures
    .flatMap(({ name, title }) => {
      const found = all[name];
      if (found === undefined) return [];
      const curves = found.result.curves ?? [];
      const plots = curves.map((curve) => `![${curve.title}](../docs/benchmarks/${name}-${curve.name}.svg)`);
      return [`### ${title}`, sectionOf(found), ...plots];
    })
    .join('\n\n');
}

function sectionOf({ result, at, form, machine }: Measured): string {
  const contenders = [...new Set(result.rows.flatMap(({ values }) => Object.keys(values)))];
  const rows = result.rows.map((row) => [
    `${row.what}, ${row.unit}`,
    ...contenders.map((contender) => shown(row.values[contender])),
    ratiosOf(row),
    verdictOf(row),
  ]);
  const where = `${at.slice(0, 10)}, ${form} form, ${machine.cores} cores of ${machine.cpu}, load average ${machine.load_average}, Node.js ${machine.node}.`;
  const table = tableOf(['', ...contenders.map(nameOf), 'ratio', 'bar'], rows);
  return [table, [...result.notes, where].join(' ')].join('\n\n');
}

function tableOf(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  return [heads, heads.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/**
 * `npm run bench [-- --quick] [-- NAME...]`: measures `roleBuild` and its peers side by side, on servers that it
 * starts. Unless only some figures were named, it writes results, plots and their page.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import type { Figure } from './figures/figure.ts';
import { tableOf } from './report/table.ts';
import { writeReport, type Measured } from './report/report.ts';

const BENCH = fileURLToPath(new URL('.', import.meta.url));
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const EXIT_BAD_USAGE = 2;

const USAGE = `Usage: npm run bench [-- [--quick] [--write] [--no-build] [NAME...]]

  --quick     fewer rounds and builds, shorter polls: some 2 minutes on 2 cores with nothing else to do;
              poll-cost, in-flight, memory, recovery, long-build and herd only by name
  --write     writes docs/benchmarks and bench/README.md also if --quick or names were given
  --no-build  measures the dist/ that is there
`;

const { values: options, positionals: names } = readArguments();
installPeers();
const { FIGURES } = await import('./figures/index.ts');
const figures = choose(FIGURES);
if (!options['no-build']) build();

const isWritten = options.write || (!options.quick && names.length === 0);
const measured: Record<string, Measured> = {};
const begun = performance.now();
for (const figure of figures) {
  const from = performance.now();
  const progress = (text: string) => void process.stderr.write(`${figure.name}: ${text}\n`);
  const result = await figure.measure({ quick: options.quick, progress });
  measured[figure.name] = {
    at: new Date().toISOString(),
    form: options.quick ? 'quick' : 'full',
    seconds: seconds(from),
    machine: machine(),
    result,
  };
  progress(`${seconds(from)} s`);
  // Written after each figure, since a run of all takes hours.
  if (isWritten) await writeReport(measured, FIGURES);
}
process.stdout.write(`${tableOf(measured, FIGURES)}\nIn ${seconds(begun)} s.\n`);
// The runtimes of Temporal's SDK would keep the process from ending.
process.exit();

/** Describes the machine. The load is the mean of five minutes, this run included, and shows how busy it was. */
function machine(): Measured['machine'] {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memory_gb: Math.round(totalmem() / 2 ** 30),
    load_average: Number((loadavg()[1] ?? NaN).toFixed(1)),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
  };
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        quick: { type: 'boolean', default: false },
        write: { type: 'boolean', default: false },
        'no-build': { type: 'boolean', default: false },
      },
    });
  } catch (err) {
    return refuse((err as Error).message);
  }
}

function choose(all: readonly Figure[]): readonly Figure[] {
  const unknown = names.filter((name) => !all.some((figure) => figure.name === name));
  if (unknown.length > 0) {
    return refuse(`no figure ${unknown.join(', ')}; there are ${all.map(({ name }) => name).join(', ')}`);
  }
  if (names.length > 0) return all.filter(({ name }) => names.includes(name));
  return all.filter(({ fullOnly }) => !options.quick || fullOnly !== true);
}

function refuse(why: string): never {
  process.stderr.write(`${why}\n\n${USAGE}`);
  process.exit(EXIT_BAD_USAGE);
}

/** Installs the peers' packages, which are not among the product's. */
function installPeers(): void {
  if (existsSync(`${BENCH}node_modules`)) return;
  process.stderr.write('installing the packages of the peers, once\n');
  run('npm', 'ci', '--prefix', BENCH, '--no-audit', '--no-fund');
}

function build(): void {
  process.stderr.write('building dist/\n');
  run(process.execPath, `${ROOT}scripts/build.ts`);
}

function run(command: string, ...args: string[]): void {
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed`, { cause: error });
}

function seconds(from: number): number {
  return Math.round((performance.now() - from) / 1000);
}

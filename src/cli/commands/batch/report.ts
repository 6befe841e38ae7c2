/** The report of a batch: NDJSON with one line for each request, written as soon as its outcome is known. */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  writeFileSync,
  type BigIntStats,
} from 'node:fs';
import { NotUtf8Error, utf8Chunks } from '../../../process/utf8.ts';
import { CliError } from '../../errors/cli-error.ts';
import { isSystemError, openInput, reasonOf, streamOf } from '../../input/text-files.ts';
import { textLines } from './lines.ts';

/** Whether a request is neither done nor on its way. */
const IS_FAILED = {
  COMPLETE: false,
  IN_PROGRESS: false,
  FAILED: true,
  CANCELLED: true,
  /** TERMINATED and TIMED_OUT are Temporal's, for a build that ended without its record. */
  TERMINATED: true,
  TIMED_OUT: true,
  /** The request was not started; `error` says why. */
  REFUSED: true,
  /** The line is not valid and was skipped. */
  INVALID: true,
  /** The batch ended before this request. */
  NOT_STARTED: true,
} as const satisfies Record<string, boolean>;

export type ReportStatus = keyof typeof IS_FAILED;

export interface ReportLine {
  line: number;
  correlation_id?: string;
  workflow_id?: string;
  job_id?: string | undefined;
  status: ReportStatus;
  error?: string | undefined;
}

const FAILURES_SHOWN = 10;
/** More than the longest line of a report. */
const FIRST_LINE_MAX_BYTES = 1024 * 1024;

function reportLineOf(text: string): ReportLine | undefined {
  try {
    const given = JSON.parse(text) as ReportLine;
    const { line, status } = given as Partial<Record<keyof ReportLine, unknown>>;
    return Number.isSafeInteger(line) && typeof status === 'string' && Object.hasOwn(IS_FAILED, status)
      ? given
      : undefined;
  } catch {
    return undefined;
  }
}

export class Report {
  readonly path: string;
  readonly counts: Partial<Record<ReportStatus, number>> = {};
  lines = 0;
  failed = 0;
  /** The first requests that failed, to show them at the end. */
  readonly firstFailures: ReportLine[] = [];
  /** Whether the file has all lines so far. */
  isWhole = true;
  readonly #fd: number;
  readonly #say: (text: string) => void;
  #size = 0;

  /**
   * @param path a new file, or an earlier report to replace; by default a new name
   * @param read the files that the batch reads, which the report must not replace
   * @param say prints that the file can't be written any more, and the lines that it lacks
   * @throws CliError `usage` if the file can't be written, or exists and is not a report
   */
  constructor(path: string | undefined, read: readonly (BigIntStats | undefined)[], say: (text: string) => void) {
    this.path = path ?? defaultName();
    this.#say = say;
    try {
      this.#fd = openReport(this.path, read);
    } catch (err) {
      if (!isSystemError(err)) throw err;
      const hint = '--report FILE puts it elsewhere';
      throw new CliError('usage', `the report can't be written: ${err.message}`, { cause: err, hint });
    }
  }

  add(line: ReportLine): void {
    this.lines += 1;
    this.counts[line.status] = (this.counts[line.status] ?? 0) + 1;
    if (IS_FAILED[line.status]) {
      this.failed += 1;
      if (this.failed <= FAILURES_SHOWN) this.firstFailures.push(line);
    }
    const text = JSON.stringify(line);
    // Written at once, so that no known outcome is lost, however the process ends.
    if (this.isWhole) this.#try(() => writeFileSync(this.#fd, `${text}\n`));
    if (this.isWhole) this.#size += Buffer.byteLength(text) + 1;
    else this.#say(text);
  }

  close(): void {
    if (this.isWhole && fstatSync(this.#fd).size !== this.#size) {
      this.isWhole = false;
      this.#say(`role-build: another program has changed the report ${this.path}, so it is not whole`);
    }
    // A network file system may only report at the close that it is full.
    this.#try(() => closeSync(this.#fd));
  }

  /** Does a step of writing. If it fails, as on a full disk, the batch goes on without its report. */
  #try(step: () => void): void {
    try {
      step();
    } catch (err) {
      if (!isSystemError(err)) throw err;
      if (!this.isWhole) return;
      this.isWhole = false;
      // Removes a line that was written in part.
      this.#try(() => ftruncateSync(this.#fd, this.#size));
      const consequence = 'the batch goes on, and the lines that the report lacks are printed here';
      this.#say(`role-build: the report ${this.path} can't be written any more: ${reasonOf(err)}; ${consequence}`);
    }
  }
}

/** Checks the file before it truncates it, both through one file descriptor. */
function openReport(path: string, read: readonly (BigIntStats | undefined)[]): number {
  // O_NONBLOCK: otherwise opening a pipe would wait forever.
  const fd = openNew(path) ?? openSync(path, constants.O_RDWR | constants.O_APPEND | (constants.O_NONBLOCK ?? 0));
  try {
    const stats = fstatSync(fd, { bigint: true });
    if (read.some((one) => one?.dev === stats.dev && one.ino === stats.ino)) {
      throw new CliError('usage', `--report ${path} would overwrite a file that the batch reads`);
    }
    if (!stats.isFile() || !isReport(fd, stats)) {
      throw new CliError('usage', `${path} exists and is not a batch report, so it was not changed`, {
        hint: '--report with another name',
      });
    }
    ftruncateSync(fd);
    return fd;
  } catch (err) {
    closeSync(fd);
    throw err;
  }
}

function openNew(path: string): number | undefined {
  try {
    return openSync(path, 'ax');
  } catch (err) {
    if (isSystemError(err) && err.code === 'EEXIST') return undefined;
    throw err;
  }
}

/** Whether a file may be replaced. An empty one, such as `mktemp` makes, may be. */
function isReport(fd: number, { size }: BigIntStats): boolean {
  if (size === 0n) return true;
  const beginning = Buffer.alloc(FIRST_LINE_MAX_BYTES);
  const text = new TextDecoder().decode(beginning.subarray(0, readSync(fd, beginning, 0, beginning.length, 0)));
  return reportLineOf(text.split('\n')[0] ?? '') !== undefined;
}

/** Returns a name that differs even from that of a batch that begins in the same millisecond. */
function defaultName(): string {
  const time = new Date().toISOString().replaceAll(/[:.]/g, '-');
  return `role-build-report-${time}-${randomBytes(3).toString('hex')}.ndjson`;
}

/** The requests of an earlier report that are to run again. */
export interface FailedRequests {
  /** The job that failed, if one was started, by correlation ID. */
  jobs: Map<string, string | undefined>;
  /** Lines without a usable correlation ID, or invalid: when these are corrected, their generated ID changes. */
  lines: Set<number>;
  /** The correlation IDs of all its lines. */
  known: Set<string>;
  /** Whether its last line is incomplete, as after a full disk. */
  isCutOff: boolean;
  identity: BigIntStats;
}

/** @throws CliError `usage` if the file is not a report, or can't be read */
export async function readFailedRequests(path: string): Promise<FailedRequests> {
  const refuse = (line: number) => new CliError('usage', `${path} is not a batch report: see its line ${line}`);
  try {
    const file = openInput(path);
    const failed: FailedRequests = {
      jobs: new Map(),
      lines: new Set(),
      known: new Set(),
      isCutOff: false,
      identity: file.stats,
    };
    let [number, unreadable] = [0, 0];
    for await (const text of textLines(utf8Chunks(streamOf(file)))) {
      number += 1;
      // Only the last line may be incomplete, if the batch was killed. Before that, every line has to be a report's.
      if (unreadable > 0) throw refuse(unreadable);
      const one = reportLineOf(text);
      if (one === undefined) {
        unreadable = number;
        continue;
      }
      const id = one.status === 'INVALID' ? undefined : one.correlation_id;
      if (typeof id === 'string') failed.known.add(id);
      if (!IS_FAILED[one.status]) continue;
      if (typeof id === 'string') failed.jobs.set(id, one.job_id);
      else failed.lines.add(one.line);
    }
    if (unreadable === 1) throw refuse(1);
    failed.isCutOff = unreadable > 0;
    const empty = `${path} is empty: its batch ended before the first line; run the whole batch again`;
    if (number === 0) throw new CliError('usage', empty);
    return failed;
  } catch (err) {
    if (err instanceof NotUtf8Error) throw new CliError('usage', `${path}: ${err.message}`, { cause: err });
    if (!isSystemError(err)) throw err;
    throw new CliError('usage', `the report can't be read: ${err.message}`, { cause: err });
  }
}

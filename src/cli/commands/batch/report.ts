/** What became of each request of a batch: NDJSON, a line each, written as it is known. */
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
  /** Temporal's, of a build that ended without its record. */
  TERMINATED: true,
  TIMED_OUT: true,
  /** It was not started, and `error` says why. */
  REFUSED: true,
  /** The line is wrong, and was left out. */
  INVALID: true,
  /** The batch ended before it. */
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
/** More than any line of a report has. */
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
  /** How many requests there are of each status. */
  readonly counts: Partial<Record<ReportStatus, number>> = {};
  lines = 0;
  failed = 0;
  /** Of the requests that failed, as many as people look at. */
  readonly firstFailures: ReportLine[] = [];
  /** Whether the file has all of it. */
  isWhole = true;
  readonly #fd: number;
  readonly #say: (text: string) => void;
  #size = 0;

  /**
   * @param path where it is to be: a new file, or an earlier report, which it replaces; by default a name that no file has
   * @param read the files that are read and must stay as they are
   * @param say tells the user that the file takes no more, and the lines that it lacks
   * @throws CliError `usage` if the file can't be written, or is anything else
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
    // At once: a line that is known is not lost, however this process ends.
    if (this.isWhole) this.#try(() => writeFileSync(this.#fd, `${text}\n`));
    if (this.isWhole) this.#size += Buffer.byteLength(text) + 1;
    else this.#say(text);
  }

  close(): void {
    if (this.isWhole && fstatSync(this.#fd).size !== this.#size) {
      this.isWhole = false;
      this.#say(`role-build: another program has changed the report ${this.path}, so it is not whole`);
    }
    // A file system on the network may find out only now that there is no room.
    this.#try(() => closeSync(this.#fd));
  }

  /** A full disk does not end a batch half-way: it goes on without its report. */
  #try(step: () => void): void {
    try {
      step();
    } catch (err) {
      if (!isSystemError(err)) throw err;
      if (!this.isWhole) return;
      this.isWhole = false;
      // Half a line may be there.
      this.#try(() => ftruncateSync(this.#fd, this.#size));
      const consequence = 'the batch goes on, and the lines that the report lacks are printed here';
      this.#say(`role-build: the report ${this.path} can't be written any more: ${reasonOf(err)}; ${consequence}`);
    }
  }
}

/** Checks the file before it truncates it, through the same file descriptor. */
function openReport(path: string, read: readonly (BigIntStats | undefined)[]): number {
  // Without waiting: a pipe would be waited for without end.
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

/** An empty file loses nothing: `mktemp` makes one. */
function isReport(fd: number, { size }: BigIntStats): boolean {
  if (size === 0n) return true;
  const beginning = Buffer.alloc(FIRST_LINE_MAX_BYTES);
  const text = new TextDecoder().decode(beginning.subarray(0, readSync(fd, beginning, 0, beginning.length, 0)));
  return reportLineOf(text.split('\n')[0] ?? '') !== undefined;
}

/** A batch that begins in the same millisecond has another one. */
function defaultName(): string {
  const time = new Date().toISOString().replaceAll(/[:.]/g, '-');
  return `role-build-report-${time}-${randomBytes(3).toString('hex')}.ndjson`;
}

/** The requests of an earlier report that are to run again. */
export interface FailedRequests {
  /** The job that failed, if one was started, by correlation ID. */
  jobs: Map<string, string | undefined>;
  /** Lines that were invalid, which have changed since, and their made-up `correlation_id` with them; and those that name none. */
  lines: Set<number>;
  /** The report's file. */
  identity: BigIntStats;
}

/** @throws CliError `usage` if it is no report, or can't be read */
export async function readFailedRequests(path: string): Promise<FailedRequests> {
  const refuse = (line: number) => new CliError('usage', `${path} is not a batch report: see its line ${line}`);
  try {
    const file = openInput(path);
    const failed: FailedRequests = { jobs: new Map(), lines: new Set(), identity: file.stats };
    let [number, unreadable] = [0, 0];
    for await (const text of textLines(utf8Chunks(streamOf(file)))) {
      number += 1;
      // A batch that was killed may have left its last line unfinished; a line before it is no report's.
      if (unreadable > 0) throw refuse(unreadable);
      const one = reportLineOf(text);
      if (one === undefined) unreadable = number;
      else if (!IS_FAILED[one.status]) continue;
      else if (one.status === 'INVALID' || typeof one.correlation_id !== 'string') failed.lines.add(one.line);
      else failed.jobs.set(one.correlation_id, one.job_id);
    }
    if (unreadable === 1) throw refuse(1);
    const empty = `${path} is empty: its batch ended before the first line; run the whole batch again`;
    if (number === 0) throw new CliError('usage', empty);
    return failed;
  } catch (err) {
    if (err instanceof NotUtf8Error) throw new CliError('usage', `${path}: ${err.message}`, { cause: err });
    if (!isSystemError(err)) throw err;
    throw new CliError('usage', `the report can't be read: ${err.message}`, { cause: err });
  }
}

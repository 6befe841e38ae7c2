/** What became of each request of a batch: NDJSON, a line each, written as it is known. */
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
import { randomBytes } from 'node:crypto';
import { CliError } from '../errors.ts';
import { isSystemError, reasonOf } from '../text-files.ts';
import type { FileIdentity } from './source.ts';

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
  job_id?: string;
  status: ReportStatus;
  error?: string;
}

const FAILURES_SHOWN = 10;
/** More than any line of a report has. */
const FIRST_LINE_MAX_BYTES = 1024 * 1024;

export function isFailed(status: ReportStatus): boolean {
  return IS_FAILED[status];
}

/** @returns what a line of a report says; `undefined` where it is none */
export function reportLineOf(text: string): ReportLine | undefined {
  try {
    const given = JSON.parse(text) as ReportLine;
    return Number.isSafeInteger(given.line) && Object.hasOwn(IS_FAILED, given.status) ? given : undefined;
  } catch {
    return undefined;
  }
}

export class Report {
  readonly path: string;
  /** How many requests there are of each status. */
  readonly counts: Partial<Record<ReportStatus, number>> = {};
  lines = 0;
  /** Of the requests that failed, as many as people look at. */
  readonly firstFailures: ReportLine[] = [];
  /** Whether the file has all of it. */
  isWhole = true;
  readonly #fd: number;
  readonly #say: (text: string) => void;
  #size = 0;

  private constructor(path: string, fd: number, say: (text: string) => void) {
    this.path = path;
    this.#fd = fd;
    this.#say = say;
  }

  /**
   * @param path where it is to be: a new file, or an earlier report, which it replaces; by default a name that no file has
   * @param read the files that are read and must stay as they are
   * @param say tells the user that the file takes no more, and the lines that it lacks
   * @throws CliError `usage` where the file can't be written, or is anything else
   */
  static create(
    path: string | undefined,
    read: readonly (FileIdentity | undefined)[],
    say: (text: string) => void,
  ): Report {
    const name = path ?? defaultName();
    try {
      const fd = openNew(name) ?? openEarlier(name, read);
      return new Report(name, fd, say);
    } catch (err) {
      if (!isSystemError(err)) throw err;
      throw new CliError('usage', `the report can't be written: ${err.message}`, {
        cause: err,
        hint: '--report FILE puts it elsewhere',
      });
    }
  }

  add(line: ReportLine): void {
    this.lines += 1;
    if (isFailed(line.status) && this.firstFailures.length < FAILURES_SHOWN) this.firstFailures.push(line);
    this.counts[line.status] = (this.counts[line.status] ?? 0) + 1;
    const text = JSON.stringify(line);
    // At once: a line that is known is not lost, however this process ends.
    if (this.isWhole) this.#try(() => writeFileSync(this.#fd, `${text}\n`));
    if (this.isWhole) this.#size += Buffer.byteLength(text) + 1;
    else this.#say(text);
  }

  close(): void {
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
      const so = 'the batch goes on, and the lines that the report lacks are printed here';
      this.#say(`role-build: the report ${this.path} can't be written any more: ${reasonOf(err)}; ${so}`);
    }
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

/** Looks before it takes anything away, and keeps hold of what it has looked at. */
function openEarlier(path: string, read: readonly (FileIdentity | undefined)[]): number {
  // A pipe would be waited for without end.
  const fd = openSync(path, constants.O_RDWR | constants.O_APPEND | (constants.O_NONBLOCK ?? 0));
  try {
    const stats = fstatSync(fd, { bigint: true });
    const isRead = read.some((one) => one?.dev === stats.dev && one.ino === stats.ino);
    if (isRead) throw new CliError('usage', `--report ${path} would write over what is read`);
    if (!stats.isFile() || !isReport(fd, stats)) {
      throw new CliError('usage', `${path} is there, and is no report of a batch, so it is left as it is`, {
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

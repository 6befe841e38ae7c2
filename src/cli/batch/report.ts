/** What became of each request of a batch: NDJSON, a line each, written as it is known. */
import { createReadStream, createWriteStream, type WriteStream } from 'node:fs';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { CliError } from '../errors.ts';

/** The records' own, Temporal's for a build that ended without one, and those of a request that has no build. */
export type ReportStatus =
  | 'COMPLETE'
  | 'FAILED'
  | 'CANCELLED'
  | 'IN_PROGRESS'
  | 'TERMINATED'
  | 'TIMED_OUT'
  /** It was not started, and `error` says why. */
  | 'REFUSED'
  /** The line is wrong, and was left out. */
  | 'INVALID'
  /** The batch ended before it. */
  | 'NOT_STARTED';

export interface ReportLine {
  line: number;
  correlation_id?: string;
  workflow_id?: string;
  job_id?: string;
  status: ReportStatus;
  error?: string;
}

/** Neither done nor on its way. */
const FAILED: ReadonlySet<string> = new Set<ReportStatus>([
  'FAILED',
  'CANCELLED',
  'TERMINATED',
  'TIMED_OUT',
  'REFUSED',
  'INVALID',
  'NOT_STARTED',
]);

const FAILURES_SHOWN = 10;

export function isFailed(status: ReportStatus): boolean {
  return FAILED.has(status);
}

export class Report {
  readonly path: string;
  /** How many requests there are of each status. */
  readonly counts: Partial<Record<ReportStatus, number>> = {};
  lines = 0;
  /** Of the requests that failed, as many as people look at. */
  readonly firstFailures: ReportLine[] = [];
  readonly #stream: WriteStream;

  private constructor(path: string, stream: WriteStream) {
    this.path = path;
    this.#stream = stream;
  }

  /** @throws CliError `usage` where the file can't be written */
  static async create(path: string): Promise<Report> {
    const stream = createWriteStream(path);
    try {
      await once(stream, 'open');
    } catch (err) {
      throw new CliError('usage', `the report can't be written: ${(err as Error).message}`, { cause: err });
    }
    return new Report(path, stream);
  }

  add(line: ReportLine): void {
    this.lines += 1;
    if (isFailed(line.status) && this.firstFailures.length < FAILURES_SHOWN) this.firstFailures.push(line);
    this.counts[line.status] = (this.counts[line.status] ?? 0) + 1;
    this.#stream.write(`${JSON.stringify(line)}\n`);
  }

  async close(): Promise<void> {
    this.#stream.end();
    await once(this.#stream, 'close');
  }
}

/** A name that no earlier report has. */
export function defaultReportName(now = new Date()): string {
  return `role-build-report-${now.toISOString().replaceAll(/[:.]/g, '-')}.ndjson`;
}

/** The requests of an earlier report that are to run again. */
export class FailedRequests {
  /** The job that failed, where one was started. */
  readonly jobs = new Map<string, string | undefined>();
  readonly #lines = new Set<number>();

  /** @throws CliError `usage` where it is no report */
  static async read(path: string): Promise<FailedRequests> {
    const failed = new FailedRequests();
    let number = 0;
    let unreadable: number | undefined;
    const refuse = (line: number) => new CliError('usage', `${path} is no report of a batch: see its line ${line}`);
    try {
      for await (const text of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
        number += 1;
        // A batch that was killed may have left its last line unfinished; another one is no report's.
        if (unreadable !== undefined) throw refuse(unreadable);
        if (!failed.#take(text)) unreadable = number;
      }
    } catch (err) {
      if (err instanceof CliError) throw err;
      throw new CliError('usage', `the report can't be read: ${(err as Error).message}`, { cause: err });
    }
    if (unreadable === 1) throw refuse(1);
    return failed;
  }

  /** A line that was invalid has changed since, and its made-up `correlation_id` with it: its number names it. */
  has(line: number, correlationId: string | undefined): boolean {
    return this.#lines.has(line) || (correlationId !== undefined && this.jobs.has(correlationId));
  }

  #take(text: string): boolean {
    try {
      const { line, status, correlation_id: id, job_id: job } = JSON.parse(text) as Partial<ReportLine>;
      if (typeof line !== 'number' || typeof status !== 'string') return false;
      if (status === 'INVALID') this.#lines.add(line);
      else if (isFailed(status) && typeof id === 'string') this.jobs.set(id, job);
      return true;
    } catch {
      return false;
    }
  }
}

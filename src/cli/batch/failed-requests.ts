import { NotUtf8Error, utf8Chunks } from '../../utf8.ts';
import { CliError } from '../errors.ts';
import { isSystemError, openInput, streamOf } from '../text-files.ts';
import { textLines } from './lines.ts';
import { isFailed, reportLineOf } from './report.ts';
import type { FileIdentity } from './source.ts';

/** The requests of an earlier report that are to run again. */
export class FailedRequests {
  /** The job that failed, where one was started. */
  readonly jobs = new Map<string, string | undefined>();
  /** The report's file. */
  readonly identity: FileIdentity;
  readonly #lines = new Set<number>();

  private constructor(identity: FileIdentity) {
    this.identity = identity;
  }

  /** @throws CliError `usage` where it is no report, or can't be read */
  static async read(path: string): Promise<FailedRequests> {
    const refuse = (line: number) => new CliError('usage', `${path} is no report of a batch: see its line ${line}`);
    try {
      const file = openInput(path);
      const failed = new FailedRequests(file.stats);
      let number = 0;
      let unreadable: number | undefined;
      for await (const text of textLines(utf8Chunks(streamOf(file)))) {
        number += 1;
        // A batch that was killed may have left its last line unfinished; another one is no report's.
        if (unreadable !== undefined) throw refuse(unreadable);
        if (!failed.#take(text)) unreadable = number;
      }
      if (unreadable === 1) throw refuse(1);
      if (number === 0)
        throw new CliError('usage', `${path} is empty: its batch came to no line; give the whole batch again`);
      return failed;
    } catch (err) {
      if (err instanceof NotUtf8Error) throw new CliError('usage', `${path}: ${err.message}`, { cause: err });
      if (!isSystemError(err)) throw err;
      throw new CliError('usage', `the report can't be read: ${err.message}`, { cause: err });
    }
  }

  /** A line that was invalid has changed since, and its made-up `correlation_id` with it: its number names it. */
  has(line: number, correlationId: string | undefined): boolean {
    return this.#lines.has(line) || (correlationId !== undefined && this.jobs.has(correlationId));
  }

  get isEmpty(): boolean {
    return this.jobs.size === 0 && this.#lines.size === 0;
  }

  #take(text: string): boolean {
    const given = reportLineOf(text);
    if (given === undefined) return false;
    const { line, status, correlation_id: id, job_id: job } = given;
    if (status === 'INVALID') this.#lines.add(line);
    else if (isFailed(status) && typeof id === 'string') this.jobs.set(id, job);
    return true;
  }
}

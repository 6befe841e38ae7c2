import type { IncomingMessage } from 'node:http';
import type { Fault } from './faults.ts';

/** One request as it came in, and what became of it. */
export interface RecordedRequest {
  /** Counts from 1. */
  n: number;
  /** Epoch milliseconds. */
  at: number;
  /** Epoch milliseconds; `null` as long as the answer is not out as a whole. */
  answered_at: number | null;
  method: string;
  /** As on the request line. */
  path: string;
  /** Name and value as received, in order. */
  headers: [name: string, value: string][];
  body: string;
  fault: Fault | null;
  /** `null` as long as nothing was answered. */
  status: number | null;
}

/** Kept in memory alone and never logged, since the headers hold what callers use as a credential. */
export class Records {
  #records: RecordedRequest[] = [];
  #count = 0;

  /** @returns the record, to be filled in as the request goes on */
  add(req: IncomingMessage): RecordedRequest {
    this.#count += 1;
    const record: RecordedRequest = {
      n: this.#count,
      at: Date.now(),
      answered_at: null,
      method: req.method ?? '',
      path: req.url ?? '',
      headers: pairs(req.rawHeaders),
      body: '',
      fault: null,
      status: null,
    };
    this.#records.push(record);
    return record;
  }

  list(correlationId?: string): RecordedRequest[] {
    const wanted = ([name, value]: [string, string]) =>
      name.toLowerCase() === 'x-amzn-requestid' && value === correlationId;
    const records =
      correlationId === undefined ? this.#records : this.#records.filter(({ headers }) => headers.some(wanted));
    return records.map((record) => ({ ...record }));
  }

  clear(): void {
    this.#records = [];
  }
}

function pairs(raw: readonly string[]): [string, string][] {
  return raw.flatMap((name, index) => (index % 2 === 0 ? [[name, raw[index + 1] ?? ''] as [string, string]] : []));
}

import type { IncomingMessage } from 'node:http';
import type { Fault } from './faults.ts';

/** One request as received, and how it was answered. */
export interface RecordedRequest {
  /** Counts from 1. */
  n: number;
  /** Epoch milliseconds. */
  at: number;
  /** Epoch milliseconds; `null` until the whole answer has been sent. */
  answered_at: number | null;
  method: string;
  /** As on the request line. */
  path: string;
  /** Names and values as received, in order. */
  headers: [name: string, value: string][];
  body: string;
  fault: Fault | null;
  /** `null` until the answer's head has been sent. */
  status: number | null;
}

/** Kept only in memory and never logged, because the headers hold the callers' credentials. */
export class Records {
  #records: RecordedRequest[] = [];
  #count = 0;

  /** @returns the record, which the caller completes while it answers the request */
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

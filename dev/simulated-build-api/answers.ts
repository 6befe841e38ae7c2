import { STATUS_CODES, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { isSuccess, type Fault } from './faults.ts';
import type { RecordedRequest } from './records.ts';

/** An answer as it is without a fault. */
export interface OrdinaryAnswer {
  status: number;
  headers?: Record<string, string>;
  /** Answered as JSON. */
  body: unknown;
}

const CHUNK_BYTES = 64 * 1024;
const FILLER_HEAD = '{"filler":"';
const FILLER_TAIL = '"}';

/**
 * Answers as ordinary, or as the fault says. What the request does is done by then.
 *
 * @param record told when the answer's head and its end are out
 * @param gone aborted when the connection is
 */
export async function answer(
  res: ServerResponse,
  ordinary: OrdinaryAnswer,
  fault: Fault | null,
  record: Pick<RecordedRequest, 'status' | 'answered_at'>,
  gone: AbortSignal,
): Promise<void> {
  if (fault?.delay_ms !== undefined) await delay(fault.delay_ms, undefined, { signal: gone });
  if (fault?.hang === true) return;
  if (fault?.drop === 'before') return void res.socket?.destroy();
  if (fault?.drop === 'after') return void res.socket?.resetAndDestroy();

  const status = fault?.status ?? ordinary.status;
  const body = bodyOf(ordinary, fault, status);
  const cutShort = fault?.drop === 'mid-body' || fault?.drop === 'reset-mid-body';
  res.writeHead(status, { ...ordinary.headers, ...headersOf(body, fault, status, cutShort) });
  record.status = status;
  res.once('finish', () => (record.answered_at = Date.now()));

  if (!cutShort) return pipeline(Readable.from(body.chunks(body.length)), res, { signal: gone });
  res.flushHeaders();
  await pipeline(Readable.from(body.chunks(Math.floor(body.length / 2))), res, { end: false, signal: gone });
  if (fault?.drop === 'reset-mid-body') return void res.socket?.resetAndDestroy();
  // Unlike destroy, it lets what was written leave first.
  res.socket?.destroySoon();
}

interface Body {
  contentType: string;
  length: number;
  /** The first bytes of it, so many. */
  chunks(lengthBytes: number): Iterable<Buffer>;
}

function bodyOf(ordinary: OrdinaryAnswer, fault: Fault | null, status: number): Body {
  if (fault?.bytes !== undefined) return filler(fault.bytes);
  if (fault?.text !== undefined) return bodyOfText(fault.text, 'text/html');
  if (fault !== null && 'body' in fault) return bodyOfJson(fault.body);
  // An error that carried the answer of a success would be no error to a lenient client.
  if (fault?.status !== undefined && !isSuccess(status)) return bodyOfJson({ message: STATUS_CODES[status] ?? '' });
  return bodyOfJson(ordinary.body);
}

function bodyOfJson(value: unknown): Body {
  return bodyOfText(JSON.stringify(value), 'application/json');
}

function bodyOfText(text: string, contentType: string): Body {
  const all = Buffer.from(text);
  return { contentType, length: all.length, chunks: (lengthBytes) => [all.subarray(0, lengthBytes)] };
}

/** A JSON object, where the length has room for one. */
function filler(length: number): Body {
  return {
    contentType: 'application/json',
    length,
    *chunks(lengthBytes) {
      const tailFrom = Math.max(length - FILLER_TAIL.length, FILLER_HEAD.length);
      const middle = Buffer.alloc(CHUNK_BYTES, 'x');
      yield Buffer.from(FILLER_HEAD.slice(0, lengthBytes));
      for (let sent = FILLER_HEAD.length; sent < Math.min(tailFrom, lengthBytes); sent += CHUNK_BYTES) {
        yield middle.subarray(0, Math.min(tailFrom, lengthBytes) - sent);
      }
      yield Buffer.from(FILLER_TAIL.slice(0, Math.max(lengthBytes - tailFrom, 0)));
    },
  };
}

function headersOf(
  body: Body,
  fault: Fault | null,
  status: number,
  cutShort: boolean,
): Record<string, string | string[]> {
  const told = Object.fromEntries(
    Object.entries(fault?.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
  );
  const bodyless = status === 204 || status === 304;
  return {
    ...(bodyless ? {} : { 'content-type': body.contentType }),
    // At least 1 where the body is to be cut short, since half of nothing would be all of it.
    ...(bodyless || 'transfer-encoding' in told
      ? {}
      : { 'content-length': String(Math.max(body.length, cutShort ? 1 : 0)) }),
    ...told,
  };
}

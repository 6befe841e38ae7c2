import { STATUS_CODES, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { isSuccess, type Fault } from './faults.ts';
import type { RecordedRequest } from './records.ts';

/** An answer without a fault. */
export interface OrdinaryAnswer {
  status: number;
  headers?: Record<string, string>;
  /** Sent as JSON. */
  body: unknown;
}

const CHUNK_BYTES = 64 * 1024;
const FILLER_HEAD = '{"filler":"';
const FILLER_TAIL = '"}';

/**
 * Sends the ordinary answer, or what the fault says. The request has taken effect by then.
 *
 * @param record updated when the answer's head and its end have been sent
 * @param gone aborted when the connection closes
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
  // Unlike destroy(), this sends what was written first.
  res.socket?.destroySoon();
}

interface Body {
  contentType: string;
  length: number;
  /** The first `lengthBytes` of the body. */
  chunks(lengthBytes: number): Iterable<Buffer>;
}

function bodyOf(ordinary: OrdinaryAnswer, fault: Fault | null, status: number): Body {
  if (fault?.bytes !== undefined) return filler(fault.bytes);
  if (fault?.text !== undefined) return bodyOfText(fault.text, 'text/html');
  if (fault !== null && 'body' in fault) return bodyOfJson(fault.body);
  // A lenient client would accept an error status whose body is that of a success.
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

/** Makes a JSON object of that length, or a part of one if the length is too small. */
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
    // At least 1 if the body is to be cut short: half of an empty body would be the whole body.
    ...(bodyless || 'transfer-encoding' in told
      ? {}
      : { 'content-length': String(Math.max(body.length, cutShort ? 1 : 0)) }),
    ...told,
  };
}

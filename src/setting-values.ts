/** What the text of a setting must be, and what it is read as. All throw an Error whose message completes "VARIABLE …". */

import { isIPv6 } from 'node:net';

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** One variable of the environment. */
export interface Setting<T> {
  /** Empty where nothing is meant: then `parse` takes the empty text. */
  default?: string;
  requiredBy?: 'worker' | 'codec server';
  meaning: string;
  /** @throws Error whose message completes "VARIABLE …" */
  parse: (value: string) => T;
}

export const setting = <T>(value: Setting<T>): Setting<T> => value;

export function optional<T>(value: string, parse: (value: string) => T): T | undefined {
  return value === '' ? undefined : parse(value);
}

export function trueOrFalse(value: string): boolean {
  if (value !== 'true' && value !== 'false') throw new Error(`must be true or false, not "${value}"`);
  return value === 'true';
}

export function text(value: string): string {
  if (value.trim() !== value) throw new Error('must not begin or end with white space');
  return value;
}

export function headerText(value: string): string {
  if (!/^[\x21-\x7e]+$/.test(value))
    throw new Error('must be printable ASCII without spaces, since it becomes a header');
  return value;
}

/** The original's five headers, trace headers, and those that an HTTP client sets for itself. */
const TAKEN_HEADERS =
  /^(authorization|encrypted-authorization|content-type|referer|x-amzn-requestid|x-amzn-trace-id|traceparent|tracestate|host|connection|content-length|transfer-encoding|expect|upgrade|keep-alive|te|trailer|accept|accept-encoding|user-agent|cookie|proxy-authorization|proxy-connection)$/i;

/** A field name. https://www.rfc-editor.org/rfc/rfc9110#name-field-names */
export function requestHeaderName(value: string): string | undefined {
  if (value === '') return undefined;
  if (!/^[\w!#$%&'*+.^`|~-]+$/.test(value))
    throw new Error(`must be the name of a header, not ${JSON.stringify(value)}`);
  if (TAKEN_HEADERS.test(value)) {
    throw new Error(`must be a header that is not sent already, not "${value}"`);
  }
  return value;
}

/** @returns the address without a slash at its end */
export function webAddress(value: string): string | undefined {
  if (value === '') return undefined;
  const url = URL.canParse(value) ? new URL(value) : undefined;
  // The value itself is not repeated: it may hold a password by mistake.
  if (url === undefined || !/^https?:\/\/[^/?#\\@\s]+(\/[^?#\\\s]*)?$/i.test(value)) {
    throw new Error('must be an address such as http://localhost:8233, without credentials, query or fragment');
  }
  return url.href.replace(/\/+$/, '');
}

export function proxy(value: string): string | undefined {
  if (value === '') return undefined;
  // The value itself is not repeated: it may hold a password.
  if (!URL.canParse(value) || !/^https?:\/\/[^/?#\\\s]+\/?$/i.test(value)) {
    throw new Error('must be a URL such as http://proxy.example.com:3128');
  }
  return value;
}

export function number(value: string, min: number, max: number): number {
  const parsed = Number(value);
  if (!/^\d+(\.\d+)?$/.test(value) || parsed < min || parsed > max) {
    throw new Error(`must be a number from ${min} to ${max}, not ${JSON.stringify(value)}`);
  }
  return parsed;
}

export function wholeNumber(value: string, min: number, max: number): number {
  const parsed = number(value, min, max);
  if (!Number.isInteger(parsed)) throw new Error(`must be a whole number, not ${JSON.stringify(value)}`);
  return parsed;
}

export function oneOf<const T extends string>(value: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value);
  if (found === undefined) throw new Error(`must be one of ${allowed.join(', ')}, not ${JSON.stringify(value)}`);
  return found;
}

export function logLevel(value: string): LogLevel {
  return oneOf(value, LOG_LEVELS);
}

export function origins(value: string): string[] {
  const list = value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
  if (list.length === 0) throw new Error('must list at least one origin, such as https://builds.example.com');
  return list.map((item, i) => {
    const url = URL.canParse(item) ? new URL(item) : undefined;
    // The item itself is not repeated: it may hold a password by mistake.
    if (url === undefined || !/^https?:\/\/[^/?#\\@*\s]+\/?$/i.test(item)) {
      throw new Error(
        `must list origins such as https://builds.example.com, without wildcards; entry ${i + 1} is none`,
      );
    }
    return url.origin;
  });
}

export interface HostPort {
  host: string;
  /** 0 takes a free one. */
  port: number;
}

export function hostPort(value: string): HostPort {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-f:.]+)\]|([\w.-]+)):(\d{1,5})$/i.exec(value) ?? [];
  const isAddress = bracketed !== undefined && isIPv6(bracketed);
  // As the URL standard writes it: an address of IPv6 has many spellings.
  const host = isAddress ? new URL(`http://[${bracketed}]`).hostname.slice(1, -1) : plain;
  const port = Number(digits);
  if (host === undefined || port > 65_535) {
    throw new Error(`must be HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080, not "${value}"`);
  }
  return { host, port };
}

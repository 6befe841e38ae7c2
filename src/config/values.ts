/** Parsers of settings. Each throws an Error whose message completes "VARIABLE …". */
import { isIPv6 } from 'node:net';
import type { HostPort } from '../process/listen.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

export interface Setting<T> {
  /** If it is empty, `parse` gets the empty text. */
  default?: string;
  requiredBy?: 'worker' | 'codec server';
  meaning: string;
  /** The value is never shown: it is a key, or an address that may hold a password. */
  secret?: true;
  /** A valid value. docs/settings.md shows it, with the range or the values. */
  example: string;
  /** The range of a number, both ends included. */
  range?: readonly [min: number, max: number];
  /** The unit of a number, such as `seconds`. */
  unit?: string;
  /** All valid values, if they can be listed. */
  values?: readonly string[];
  /** @throws Error whose message completes "VARIABLE …" */
  parse: (value: string) => T;
}

export type Parsed<S extends Readonly<Record<string, Setting<unknown>>>> = {
  [K in keyof S]: ReturnType<S[K]['parse']>;
};

/** What a setting's text must be: a parser, perhaps with its range or its values. */
type Rule<T> = Pick<Setting<T>, 'range' | 'values' | 'parse'>;
type Told = Omit<Setting<unknown>, 'parse' | 'range'>;

const ruleOf = <T>(rule: Rule<T> | Setting<T>['parse']) => (typeof rule === 'function' ? { parse: rule } : rule);

export function setting<T>(rule: Rule<T> | Setting<T>['parse'], told: Told): Setting<T> {
  return { ...told, ...ruleOf(rule) };
}

export function optional<T>(rule: Rule<T> | Setting<T>['parse'], told: Told): Setting<T | undefined> {
  const { parse, ...shown } = ruleOf(rule);
  return { default: '', ...told, ...shown, parse: (value) => (value === '' ? undefined : parse(value)) };
}

export const trueOrFalse: Rule<boolean> = {
  values: ['true', 'false'],
  parse(value) {
    if (value !== 'true' && value !== 'false') throw new Error(`must be true or false, not "${value}"`);
    return value === 'true';
  },
};

export function text(value: string): string {
  if (value.trim() !== value) throw new Error('must not begin or end with white space');
  return value;
}

export function headerText(value: string): string {
  if (!/^[\x21-\x7e]+$/.test(value))
    throw new Error('must be printable ASCII without spaces, since it becomes a header');
  return value;
}

/** The state machine's five headers, trace headers, and the headers that an HTTP client sets itself. */
const TAKEN_HEADERS =
  /^(authorization|encrypted-authorization|content-type|referer|x-amzn-requestid|x-amzn-trace-id|traceparent|tracestate|host|connection|content-length|transfer-encoding|expect|upgrade|keep-alive|te|trailer|accept|accept-encoding|user-agent|cookie|proxy-authorization|proxy-connection)$/i;

/** A field name. https://www.rfc-editor.org/rfc/rfc9110#name-field-names */
export function requestHeaderName(value: string): string {
  if (!/^[\w!#$%&'*+.^`|~-]+$/.test(value))
    throw new Error(`must be the name of a header, not ${JSON.stringify(value)}`);
  if (TAKEN_HEADERS.test(value)) {
    throw new Error(`must be a header that is not sent already, not "${value}"`);
  }
  return value;
}

/** @throws Error that does not repeat the value, which may hold a password */
export function urlLike(pattern: RegExp, value: string, must: string): URL {
  if (URL.canParse(value) && pattern.test(value)) return new URL(value);
  throw new Error(must);
}

/** @returns the address without a trailing slash */
export function webAddress(value: string): string {
  const must = 'must be an address such as http://localhost:8233, without credentials, query or fragment';
  return urlLike(/^https?:\/\/[^/?#\\@\s]+(\/[^?#\\\s]*)?$/i, value, must).href.replace(/\/+$/, '');
}

export function proxy(value: string): string {
  urlLike(/^https?:\/\/[^/?#\\\s]+\/?$/i, value, 'must be a URL such as http://proxy.example.com:3128');
  return value;
}

export function numberFrom(min: number, max: number): Rule<number> {
  return {
    range: [min, max],
    parse(value) {
      const parsed = Number(value);
      if (!/^\d+(\.\d+)?$/.test(value) || parsed < min || parsed > max) {
        throw new Error(`must be a number from ${min} to ${max}, not ${JSON.stringify(value)}`);
      }
      return parsed;
    },
  };
}

export function wholeNumberFrom(min: number, max: number): Rule<number> {
  const { parse } = numberFrom(min, max);
  return {
    range: [min, max],
    parse(value) {
      const parsed = parse(value);
      if (!Number.isInteger(parsed)) throw new Error(`must be a whole number, not ${JSON.stringify(value)}`);
      return parsed;
    },
  };
}

export function oneOf<const T extends string>(values: readonly T[]): Rule<T> {
  return {
    values,
    parse(value) {
      const found = values.find((one) => one === value);
      if (found === undefined) throw new Error(`must be one of ${values.join(', ')}, not ${JSON.stringify(value)}`);
      return found;
    },
  };
}

/** Returns the entries of a list, trimmed and without empty ones. */
export function entriesOf(list: string, separator: string | RegExp = ','): string[] {
  return list
    .split(separator)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}

export function origins(value: string): string[] {
  const list = entriesOf(value);
  if (list.length === 0) throw new Error('must list at least one origin, such as https://builds.example.com');
  const isOrigin = (item: string) => /^https?:\/\/[^/?#\\@*\s]+\/?$/i.test(item) && URL.canParse(item);
  const wrong = list.flatMap((item, i) => (isOrigin(item) ? [] : [i + 1]));
  if (wrong.length > 0) {
    const which = wrong.length === 1 ? `entry ${wrong[0]} is not one` : `entries ${wrong.join(', ')} are not`;
    throw new Error(`must list origins such as https://builds.example.com, without wildcards; ${which}`);
  }
  return list.map((item) => new URL(item).origin);
}

export function hostPort(value: string): HostPort {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-f:.]+)\]|([\w.-]+)):(\d{1,5})$/i.exec(value) ?? [];
  const isAddress = bracketed !== undefined && isIPv6(bracketed);
  // An IPv6 address has many spellings; the URL standard's is used.
  const host = isAddress ? new URL(`http://[${bracketed}]`).hostname.slice(1, -1) : plain;
  const port = Number(digits);
  if (host === undefined || port > 65_535) {
    throw new Error(`must be HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080, not "${value}"`);
  }
  return { host, port };
}

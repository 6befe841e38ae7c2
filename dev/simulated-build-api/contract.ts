import type { IncomingMessage } from 'node:http';
import { BadRequest, isObject } from './faults.ts';

const HEADERS: readonly { name: string; expected: string; holds: (value: string) => boolean }[] = [
  { name: 'Authorization', expected: 'be the literal jwt', holds: (value) => value === 'jwt' },
  { name: 'Encrypted-Authorization', expected: 'not be empty', holds: (value) => value !== '' },
  { name: 'Content-Type', expected: 'be application/json', holds: (value) => value === 'application/json' },
  { name: 'Referer', expected: 'end in /proxy', holds: (value) => value.endsWith('/proxy') },
  { name: 'x-amzn-RequestId', expected: 'not be empty', holds: (value) => value !== '' },
];

/** Checks the five headers of the contract. @returns the request ID @throws BadRequest with every fault */
export function checkHeaders(req: IncomingMessage): string {
  const faults = HEADERS.flatMap(({ name, expected, holds }) => {
    // `headers` joins repeated headers into one value, which hides that one was sent twice.
    const [value, ...more] = req.headersDistinct[name.toLowerCase()] ?? [];
    if (value === undefined) return [`${name} is missing`];
    if (more.length > 0) return [`${name} was sent ${more.length + 1} times`];
    return holds(value) ? [] : [`${name} must ${expected}`];
  });
  if (faults.length > 0) throw new BadRequest(`bad headers: ${faults.join('; ')}`);
  return req.headersDistinct['x-amzn-requestid']?.[0] ?? '';
}

/** @throws BadRequest */
export function parseJsonObject(body: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (err) {
    throw new BadRequest('the body is not JSON', { cause: err });
  }
  if (!isObject(value)) throw new BadRequest('the body is not a JSON object');
  return value;
}

/** @returns the decoded segment after `/build/`, or `undefined` if the path is another @throws BadRequest */
export function buildIdSegment(path: string): string | undefined {
  const segment = /^\/build\/([^/]+)$/.exec(path)?.[1];
  if (segment === undefined) return undefined;
  try {
    return decodeURIComponent(segment);
  } catch (err) {
    throw new BadRequest('the build ID in the path is not percent-encoded UTF-8', { cause: err });
  }
}

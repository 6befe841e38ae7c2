import { clip } from '../domain/failures.ts';

/** Longer than any host name. */
const ORIGIN_SHOWN_CHARACTERS = 300;

/**
 * Allows only listed origins of the build API. Compares origins as the URL standard serialises them, so that no other
 * spelling of a host, port or user name gets past the list.
 *
 * @param allowed serialised origins, such as `https://builds.example.com` or `http://127.0.0.1:8090`
 * @returns why nothing may be sent to a URL, or `undefined`
 */
export function originFault(url: string, allowed: readonly string[]): string | undefined {
  if (!URL.canParse(url)) return 'is not a URL';
  const { origin, protocol, username, password, search, hash } = new URL(url);
  // `blob:https://…` has the origin of the URL inside it.
  if (protocol !== 'https:' && protocol !== 'http:') return 'is not an http or https URL';
  if (!allowed.includes(origin)) {
    return `has the origin ${clip(origin, ORIGIN_SHOWN_CHARACTERS)}, which BUILD_API_ALLOWED_ORIGINS does not list`;
  }
  if (username !== '' || password !== '') return 'has credentials in it';
  if (search !== '' || hash !== '') return 'has a query or a fragment';
  return undefined;
}

/** Where the codec server listens, and what it requires of a token. */
import { isIPv4 } from 'node:net';
import { hasKey } from './encryption.ts';
import { hostPort, optional, origins, setting, text, type Parsed } from './values.ts';

/**
 * A claim that a token must hold: a whole value, or the beginning and the end of one. `{namespace}` stands for the
 * request's namespace.
 */
export interface RequiredClaim {
  name: string;
  value: [whole: string] | [before: string, after: string];
}

/** Tells loopback by the number or by `localhost`; any other name would have to be looked up first. */
export function isLoopback(host: string): boolean {
  if (isIPv4(host)) return host.startsWith('127.');
  return host === '::1' || host.toLowerCase() === 'localhost';
}

/** @throws Error that does not repeat the value, which may hold a password by mistake */
function jwksUrl(value: string): URL {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const isSafe =
    url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname.replace(/^\[|\]$/g, '')));
  if (url === undefined || !isSafe || url.username !== '' || url.password !== '') {
    throw new Error(
      'must be an https URL without credentials, such as https://login.example.com/keys; http on loopback only',
    );
  }
  return url;
}

/** In the value, `*` matches any text without `@` and white space, and `\*` is an asterisk. @throws Error */
export function requiredClaim(given: string): RequiredClaim {
  const [, name, value] = /^([^=\s]+)=(\S+)$/.exec(given) ?? [];
  if (name === undefined || value === undefined) {
    throw new Error(`must be NAME=VALUE, such as permissions={namespace}:read or email=*@example.com, not "${given}"`);
  }
  const [first = '', second, ...others] = value.split(/(?<!\\)\*/).map((part) => part.replaceAll('\\*', '*'));
  if (second === undefined) return { name, value: [first] };
  if (others.length > 0) throw new Error(`must have one * at most, not "${given}"`);
  if (first + second === '') throw new Error(`must have more than * for a value, which every token would hold`);
  return { name, value: [first, second] };
}

/** The host of the keys that sign Temporal Cloud's own tokens. */
const TEMPORAL_CLOUD = 'login.tmprl.cloud';

export const CODEC_SETTINGS = {
  CODEC_SERVER_ADDRESS: setting(hostPort, {
    default: '127.0.0.1:8081',
    meaning: 'address that the codec server listens on; port 0 and host 0.0.0.0 as in `HEALTH_ADDRESS`',
    example: '0.0.0.0:8081',
  }),
  CODEC_SERVER_ALLOWED_ORIGINS: setting(origins, {
    requiredBy: 'codec server',
    meaning: 'comma-separated origins of the Web UIs whose pages may call the codec server',
    example: 'https://cloud.temporal.io',
  }),
  CODEC_SERVER_JWKS_URL: optional(jwksUrl, {
    meaning:
      'URL of the keys (JWKS) that bearer tokens are checked against; without it the codec server listens on loopback only',
    example: 'https://login.example.com/.well-known/jwks.json',
  }),
  CODEC_SERVER_JWT_ISSUER: optional(text, {
    meaning: 'issuer (`iss`) that a token must have',
    example: 'https://login.example.com/',
  }),
  CODEC_SERVER_JWT_AUDIENCE: optional(text, {
    meaning: 'audience (`aud`) that a token must have',
    example: 'https://codec.example.com',
  }),
  CODEC_SERVER_REQUIRED_CLAIM: optional(requiredClaim, {
    meaning:
      'claim that a token must hold; `{namespace}` stands for the namespace, one `*` for any text without `@` and spaces',
    example: 'permissions={namespace}:read',
  }),
};

/** Settings as read. The address is absent if a program other than the codec server reads them. */
type Given = Partial<Parsed<typeof CODEC_SETTINGS>>;

/** Returns the faults of settings that are valid alone, but not together. */
export function codecServerFaults(given: Given & Parameters<typeof hasKey>[0]): string[] {
  const faults: string[] = [];
  const { CODEC_SERVER_ADDRESS: address } = given;
  if (address === undefined) return faults;
  if (!hasKey(given)) {
    faults.push('ENCRYPTION_KMS_KEY_ARNS, ENCRYPTION_KEYS_FILE or ENCRYPTION_KEYS is required: what to decrypt with');
  }
  const ofTokens = ['CODEC_SERVER_JWKS_URL', 'CODEC_SERVER_JWT_ISSUER', 'CODEC_SERVER_JWT_AUDIENCE'] as const;
  const missing = ofTokens.filter((name) => given[name] === undefined);
  if (missing.length > 0 && missing.length < ofTokens.length) {
    faults.push(`${missing.join(' and ')} must be set too: ${ofTokens.join(', ')} go together`);
  }
  if (missing.length === ofTokens.length && !isLoopback(address.host)) {
    faults.push(
      `CODEC_SERVER_ADDRESS must be on loopback, such as 127.0.0.1:8081, if no tokens are required (${ofTokens.join(', ')}): anyone who reaches it could read every payload`,
    );
  }
  if (given.CODEC_SERVER_JWKS_URL?.hostname === TEMPORAL_CLOUD && given.CODEC_SERVER_REQUIRED_CLAIM === undefined) {
    faults.push(
      `CODEC_SERVER_REQUIRED_CLAIM is required: ${TEMPORAL_CLOUD} signs the tokens of all of Temporal Cloud's customers; yours are those with https://saas-api.tmprl.cloud/user/email=*@YOUR-DOMAIN`,
    );
  }
  if (given.CODEC_SERVER_REQUIRED_CLAIM !== undefined && missing.length > 0) {
    faults.push('CODEC_SERVER_REQUIRED_CLAIM needs CODEC_SERVER_JWKS_URL: without tokens there are no claims');
  }
  return faults;
}

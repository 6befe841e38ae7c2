import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload } from 'jose';
import type { CODEC_SETTINGS, RequiredClaim } from '../config/codec-server.ts';
import type { Parsed } from '../config/values.ts';

/** An error whose message is sent to the client. */
export class HttpError extends Error {
  override name = 'HttpError';
  readonly status: number;

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/** Signatures only: the keys of a JWKS are public, so anybody could make an HMAC with them. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
const CLOCK_TOLERANCE_SECONDS = 30;
const JWKS_TIMEOUT_MS = 5_000;

/** Checks the bearer token of a request. @returns the user that it names @throws HttpError 401, 403 or 503 */
export type CheckToken = (authorization: string | undefined, namespace: string) => Promise<string | undefined>;

/** @returns `undefined` if the settings require no tokens */
export function createTokenCheck(settings: Parsed<typeof CODEC_SETTINGS>): CheckToken | undefined {
  const { CODEC_SERVER_JWKS_URL: jwksUrl, CODEC_SERVER_REQUIRED_CLAIM: requiredClaim } = settings;
  const { CODEC_SERVER_JWT_ISSUER: issuer, CODEC_SERVER_JWT_AUDIENCE: audience } = settings;
  if (jwksUrl === undefined || issuer === undefined || audience === undefined) return undefined;
  const keys = createRemoteJWKSet(jwksUrl, { timeoutDuration: JWKS_TIMEOUT_MS });
  return async (authorization, namespace) => {
    const token = /^Bearer +([\w-]+\.[\w-]+\.[\w-]*)$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) throw new HttpError(401, 'a bearer token is required');
    let claims: JWTPayload;
    try {
      const options = { issuer, audience, algorithms: ALGORITHMS, requiredClaims: ['exp'] };
      claims = (await jwtVerify(token, keys, { ...options, clockTolerance: CLOCK_TOLERANCE_SECONDS })).payload;
    } catch (err) {
      throw refusal(err);
    }
    if (requiredClaim !== undefined && !hasClaim(claims, requiredClaim, namespace)) {
      throw new HttpError(403, `the token lacks the claim ${requiredClaim.name} for the namespace`);
    }
    return claims.sub;
  };
}

/** Codes that `jose` throws if the token is at fault. Any other error means that the keys can't be fetched or used. */
const TOKEN_FAULTS = [
  'ERR_JOSE_ALG_NOT_ALLOWED',
  'ERR_JOSE_NOT_SUPPORTED',
  'ERR_JWKS_MULTIPLE_MATCHING_KEYS',
  'ERR_JWKS_NO_MATCHING_KEY',
  'ERR_JWS_INVALID',
  'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
  'ERR_JWT_CLAIM_VALIDATION_FAILED',
  'ERR_JWT_EXPIRED',
  'ERR_JWT_INVALID',
];

function refusal(cause: unknown): HttpError {
  if (cause instanceof errors.JOSEError && TOKEN_FAULTS.includes(cause.code)) {
    return new HttpError(401, `the token is not valid: ${cause.message}`, { cause });
  }
  return new HttpError(503, "the keys that tokens are checked against can't be fetched", { cause });
}

/** A claim may be one text or a list of texts. */
export function hasClaim(claims: JWTPayload, { name, value }: RequiredClaim, namespace: string): boolean {
  const found = Object.hasOwn(claims, name) ? claims[name] : undefined;
  const [before, after] = value.map((part) => part.replaceAll('{namespace}', () => namespace)) as [string, string?];
  if (after !== undefined) return [found].flat().some((one) => typeof one === 'string' && isAround(one, before, after));
  if (Array.isArray(found)) return found.includes(before);
  return typeof found === 'string' && (found === before || (SCOPES.test(found) && found.split(' ').includes(before)));
}

/** One text with several scopes, as in OAuth. No email address matches: an address with a space also has quotes. */
const SCOPES = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/; // https://www.rfc-editor.org/rfc/rfc6749#section-3.3

/** Tests the whole text, because an email address may be `"me@example.com "@attacker.example`. */
function isAround(text: string, before: string, after: string): boolean {
  const between = text.slice(before.length, text.length - after.length);
  const isLongEnough = text.length > before.length + after.length;
  return isLongEnough && text.startsWith(before) && text.endsWith(after) && !/[@\s\p{Cc}]/u.test(between);
}

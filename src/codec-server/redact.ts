import type { Payload } from '@temporalio/common';
import { isEncrypted } from '../encryption/format.ts';

/** Replaces the credential in the Web UI. */
const REDACTED = '[redacted by the codec server]';
const CREDENTIAL = 'encrypted_jwt';

const ENCODING = 'encoding';
const text = new TextDecoder('utf-8', { fatal: true });

/**
 * Returns a payload as people may see it: without the credential, which nobody needs to follow a build. Builds use only
 * JSON and null payloads, so only these are shown. Any other could hide the credential and stays as it came.
 *
 * @param asItCame the payload before it was decrypted
 */
export function forPeople(payload: Payload, asItCame: Payload): Payload {
  const encoding = Buffer.from(payload.metadata?.[ENCODING] ?? '').toString();
  if (encoding === 'binary/null') return payload;
  if (!encoding.startsWith('json/')) return isEncrypted(asItCame) ? asItCame : payload;
  try {
    const json = text.decode(payload.data ?? new Uint8Array());
    const value: unknown = JSON.parse(json, (key, inner: unknown) => (key === CREDENTIAL ? REDACTED : inner));
    // Re-encodes even if nothing was replaced: JSON.parse drops the first of two equal keys. `\u` may spell the name.
    return /"encrypted_jwt"\s*:|\\u/.test(json) ? { ...payload, data: Buffer.from(JSON.stringify(value)) } : payload;
  } catch {
    return isEncrypted(asItCame) ? asItCame : payload;
  }
}

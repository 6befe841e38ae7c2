import type { Payload } from '@temporalio/common';
import { isEncrypted } from '../encryption/format.ts';

/** What a reader of the Web UI sees in the credential's place. */
const REDACTED = '[redacted by the codec server]';
const CREDENTIAL = 'encrypted_jwt';

const ENCODING = 'encoding';
const text = new TextDecoder('utf-8', { fatal: true });

/**
 * A payload as people may see it: without the credential, which nobody needs to follow a build. JSON alone is shown, and
 * nothing; all that builds are made of is either. Whatever else there is could hold the credential unseen and stays as it
 * came.
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
    // Not only if it was found: of two equal keys the first is never seen. A name may be spelt with escapes.
    return /"encrypted_jwt"\s*:|\\u/.test(json) ? { ...payload, data: Buffer.from(JSON.stringify(value)) } : payload;
  } catch {
    return isEncrypted(asItCame) ? asItCame : payload;
  }
}

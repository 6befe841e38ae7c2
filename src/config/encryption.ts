/** Settings of encryption: its keys, and whether unencrypted payloads are still read. */
import { readFileSync } from 'node:fs';
import { entriesOf, optional, setting, trueOrFalse, type Parsed } from './values.ts';
import { NotUtf8Error, utf8Text } from '../process/utf8.ts';

/** A 256-bit AES key of the local key ring. */
export interface LocalKey {
  /** Every payload that the key encrypts names it in plain text. */
  name: string;
  key: Uint8Array;
}

export interface EncryptionSettings {
  /** ARNs of AWS KMS keys. The first one encrypts, all decrypt. */
  kmsKeyArns?: readonly string[];
  /** The first one encrypts if there are no KMS keys; all decrypt. */
  localKeys?: readonly LocalKey[];
  /** Whether to refuse payloads that are not encrypted. */
  required?: boolean;
}

const KEY_BYTES = 32;
const KEY_FORMAT = 'NAME:KEY, where KEY is 32 random bytes in Base64 (openssl rand -base64 32)';

/**
 * Keys as `NAME:KEY`, separated by commas or line breaks; `#` begins a comment that lasts to the end of its line.
 *
 * @throws Error that says which entry is wrong, without its content
 */
export function parseLocalKeys(text: string): LocalKey[] {
  const entries = entriesOf(text.replaceAll(/#[^\n]*/g, ''), /[,\n]/);
  if (entries.length === 0) throw new Error(`must hold at least one ${KEY_FORMAT}`);
  const keys = entries.map((entry, i) => {
    const [, name, base64] = /^([\w.-]{1,64}):([A-Za-z0-9+/_-]{43}=?)$/.exec(entry) ?? [];
    const key = new Uint8Array(Buffer.from(base64 ?? '', 'base64'));
    if (name === undefined || key.length !== KEY_BYTES)
      throw new Error(`must hold ${KEY_FORMAT}; entry ${i + 1} is none`);
    return { name, key };
  });
  const names = keys.map(({ name }) => name);
  refuseTwice('name', names);
  const texts = keys.map(({ key }) => Buffer.from(key).toString('base64'));
  refuseTwice('key', texts);
  return keys;
}

/** @throws Error that says why the file can't be read, or which of its entries is wrong */
function localKeysIn(path: string): LocalKey[] {
  let text: string;
  try {
    text = utf8Text(readFileSync(path));
  } catch (err) {
    // The message omits the path, because a user may have put a key there by mistake.
    if (err instanceof NotUtf8Error) throw new Error(`names a file that is not text: ${err.message}`, { cause: err });
    throw new Error(`names a file that can't be read (${(err as NodeJS.ErrnoException).code})`, { cause: err });
  }
  return parseLocalKeys(text);
}

function refuseTwice(what: string, values: readonly string[]): void {
  for (const [i, value] of values.entries()) {
    const earlier = values.indexOf(value);
    if (earlier !== i) throw new Error(`has the same ${what} in entries ${earlier + 1} and ${i + 1}`);
  }
}

/**
 * Parses comma-separated ARNs of KMS keys. Refuses aliases: an alias can move to another key, while a payload names the
 * key itself, so an alias would not tell which key encrypted a payload.
 *
 * @throws Error that says which entry is wrong
 */
function parseKmsKeyArns(text: string): string[] {
  const arns = entriesOf(text);
  if (arns.length === 0) throw new Error('must list at least one ARN of a KMS key');
  for (const [i, arn] of arns.entries()) {
    if (!/^arn:aws[\w-]*:kms:[a-z0-9-]+:\d{12}:key\/(mrk-[0-9a-f]{32}|[0-9a-f-]{36})$/.test(arn)) {
      throw new Error(
        `must list ARNs of KMS keys such as arn:aws:kms:eu-west-1:123456789012:key/…, not aliases; entry ${i + 1} is not one`,
      );
    }
  }
  refuseTwice('ARN', arns);
  return arns;
}

export function isEncrypting({ kmsKeyArns = [], localKeys = [] }: EncryptionSettings): boolean {
  return kmsKeyArns.length > 0 || localKeys.length > 0;
}

export const ENCRYPTION_SETTINGS = {
  ENCRYPTION_KEYS: optional(parseLocalKeys, {
    meaning: 'comma-separated `NAME:KEY` with keys of 32 bytes in Base64; the first encrypts payloads, all decrypt',
    secret: true,
    example: 'k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=',
  }),
  ENCRYPTION_KEYS_FILE: optional(localKeysIn, {
    meaning: 'file with such keys, one a line, instead of `ENCRYPTION_KEYS`',
    example: '/run/secrets/encryption-keys',
  }),
  ENCRYPTION_KMS_KEY_ARNS: optional(parseKmsKeyArns, {
    meaning: 'comma-separated ARNs of AWS KMS keys; the first encrypts payloads, all decrypt, local keys too',
    example: 'arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555',
  }),
  ENCRYPTION_REQUIRED: setting(trueOrFalse, {
    default: 'false',
    meaning: '`true` refuses payloads that are not encrypted',
    example: 'true',
  }),
};

/** Settings as read; absent if a program doesn't read them. */
type Given = Partial<Parsed<typeof ENCRYPTION_SETTINGS>>;

/** Returns the faults of settings that are valid alone, but not together. */
export function encryptionFaults(given: Given): string[] {
  const faults: string[] = [];
  if (given.ENCRYPTION_KEYS !== undefined && given.ENCRYPTION_KEYS_FILE !== undefined) {
    faults.push('ENCRYPTION_KEYS and ENCRYPTION_KEYS_FILE can not both be set');
  }
  if (given.ENCRYPTION_REQUIRED === true && !hasKey(given)) {
    faults.push('ENCRYPTION_REQUIRED needs ENCRYPTION_KMS_KEY_ARNS, ENCRYPTION_KEYS_FILE or ENCRYPTION_KEYS');
  }
  return faults;
}

export function hasKey(given: Given): boolean {
  const keys = [given.ENCRYPTION_KMS_KEY_ARNS, given.ENCRYPTION_KEYS_FILE, given.ENCRYPTION_KEYS];
  return keys.some((some) => some !== undefined);
}

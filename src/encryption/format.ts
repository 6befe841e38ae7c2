/**
 * The bytes of an encrypted payload, as deploy/encryption/README.md specifies them. Each payload has its own key,
 * derived from a data key and a random salt, so that no key reaches AES-GCM's limit of messages. Each payload also
 * commits to its key, because with AES-GCM alone one ciphertext can decrypt under two keys.
 */
import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
  type KeyObject,
} from 'node:crypto';
import type { Payload } from '@temporalio/common';
import { PayloadUnreadableError } from './unreadable.ts';

const ENCODING = 'encoding';
const ENCRYPTED = Buffer.from('binary/encrypted');
const FORMAT = 'encryption-format';
const VERSION = Buffer.from('1');
const KEY_ID = 'encryption-key-id';
const DATA_KEY = 'encryption-data-key';
const SALT = 'encryption-salt';
const COMMITMENT = 'encryption-commitment';
const NAMESPACE = 'temporal-namespace';
const WORKFLOW_ID = 'temporal-workflow-id';

const INFO = 'iam-orchestrator/payload/1';
const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const COMMITMENT_BYTES = 32;
const SALT_BYTES = 32;
const NONCE_BYTES = 12;
const TAG = { authTagLength: 16 };

/** Names a payload's data key and the place it belongs to. It is in plain text in the payload, but authenticated. */
export interface Header {
  /** The name of a local key, or the ARN of a KMS key. */
  keyId: string;
  /** The data key as AWS KMS wrapped it; `undefined` for a local key, which is itself the data key. */
  wrappedKey: Uint8Array | undefined;
  namespace: string;
  workflowId: string | undefined;
}

/** @param random salt and nonce; only tests pass it */
export function encrypt(
  plaintext: Uint8Array,
  { keyId, wrappedKey, namespace, workflowId }: Header,
  dataKey: KeyObject,
  random: Uint8Array = randomBytes(SALT_BYTES + NONCE_BYTES),
): Payload {
  const salt = random.subarray(0, SALT_BYTES);
  const nonce = random.subarray(SALT_BYTES);
  const { key, commitment } = derive(dataKey, salt);
  const metadata: Record<string, Uint8Array> = {
    [ENCODING]: ENCRYPTED,
    [FORMAT]: VERSION,
    [KEY_ID]: Buffer.from(keyId),
    [SALT]: salt,
    [COMMITMENT]: commitment,
    [NAMESPACE]: Buffer.from(namespace),
  };
  if (wrappedKey !== undefined) metadata[DATA_KEY] = wrappedKey;
  if (workflowId !== undefined) metadata[WORKFLOW_ID] = Buffer.from(workflowId);
  const cipher = createCipheriv(CIPHER, key, nonce, TAG).setAAD(additionalData(metadata));
  return { metadata, data: Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]) };
}

export function isEncrypted({ metadata }: Payload): boolean {
  return ENCRYPTED.equals(metadata?.[ENCODING] ?? new Uint8Array());
}

/** Returns what the payload claims; it is proved only once {@link decrypt} succeeds. @throws PayloadUnreadableError */
export function headerOf({ metadata }: Payload): Header {
  const text = (name: string) => Buffer.from(metadata?.[name] ?? '').toString();
  if (text(FORMAT) !== VERSION.toString()) {
    throw new PayloadUnreadableError(`the payload is encrypted in an unknown format: ${FORMAT} is not 1`);
  }
  const workflowId = metadata?.[WORKFLOW_ID] == null ? undefined : text(WORKFLOW_ID);
  return { keyId: text(KEY_ID), wrappedKey: metadata?.[DATA_KEY], namespace: text(NAMESPACE), workflowId };
}

/** @throws Error if the key is wrong, or any part of the payload was changed, added or removed */
export function decrypt({ metadata, data }: Payload, dataKey: KeyObject): Buffer {
  const { [SALT]: salt, [COMMITMENT]: claimed } = metadata ?? {};
  const end = (data?.length ?? 0) - TAG.authTagLength;
  if (metadata == null || data == null || salt === undefined || claimed === undefined || end < NONCE_BYTES) {
    throw new Error('it is incomplete');
  }
  const { key, commitment } = derive(dataKey, salt);
  if (!timingSafeEqual(commitment, claimed)) throw new Error('it commits to another key');
  const decipher = createDecipheriv(CIPHER, key, data.subarray(0, NONCE_BYTES), TAG)
    .setAAD(additionalData(metadata))
    .setAuthTag(data.subarray(end));
  return Buffer.concat([decipher.update(data.subarray(NONCE_BYTES, end)), decipher.final()]);
}

/** Derives both values from one block of SHA-512. */
function derive(dataKey: KeyObject, salt: Uint8Array): { key: KeyObject; commitment: Uint8Array } {
  const derived = Buffer.from(hkdfSync('sha512', dataKey, salt, INFO, KEY_BYTES + COMMITMENT_BYTES));
  // A cipher takes three times as long to start with a key given as bytes.
  const key = createSecretKey(derived.subarray(0, KEY_BYTES));
  // The commitment shares this buffer and is stored with the payload, so the key is erased from it.
  derived.fill(0, 0, KEY_BYTES);
  return { key, commitment: derived.subarray(KEY_BYTES) };
}

/** Serializes the whole metadata in the order of the names; each name and value follows its length. */
function additionalData(metadata: Record<string, Uint8Array>): Buffer {
  const parts = Object.keys(metadata)
    .sort()
    .flatMap((name) => [Buffer.from(name), metadata[name] as Uint8Array]);
  return Buffer.concat(parts.flatMap((part) => [lengthOf(part), part]));
}

function lengthOf({ length }: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(length);
  return bytes;
}

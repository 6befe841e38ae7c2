/** The keys that encrypt and decrypt payloads: local keys, and data keys that AWS KMS makes and unwraps. */
import { createSecretKey, type KeyObject } from 'node:crypto';
import type { Header } from './format.ts';
import type { Kms } from './kms.ts';
import type { EncryptionSettings, LocalKey } from '../config/encryption.ts';
import { PayloadUnreadableError } from './unreadable.ts';

/** How long a data key is reused. After that, the data keys of a KMS key that was disabled no longer work. */
const MAX_AGE_MS = 5 * 60_000;
/** A worker sees one new data key from each other worker every five minutes, and one from each caller. */
const MAX_DATA_KEYS = 1_000;

/** KMS never returns a longer wrapped key, and accepts no longer one. */
const MAX_WRAPPED_KEY_BYTES = 6_144;

export interface DataKey extends Pick<Header, 'keyId' | 'wrappedKey'> {
  key: KeyObject;
}

export class KeyRing {
  readonly #local: readonly DataKey[];
  readonly #kmsKeyArns: readonly string[];
  readonly #made = new RecentAnswers<DataKey>();
  readonly #unwrapped = new RecentAnswers<KeyObject>();
  #kms: Promise<Kms> | undefined;

  /** @throws Error if a local key is not valid */
  constructor({ kmsKeyArns = [], localKeys = [] }: EncryptionSettings) {
    this.#kmsKeyArns = kmsKeyArns;
    this.#local = localKeys.map(localKey);
  }

  /** @throws Error if there is no key, or KMS does not make a data key */
  async toEncrypt(namespace: string): Promise<DataKey> {
    const [arn] = this.#kmsKeyArns;
    if (arn !== undefined) return this.#made.get(namespace, () => this.#make(arn, namespace));
    const [local] = this.#local;
    if (local === undefined) throw new Error('there is no key to encrypt with');
    return local;
  }

  /** @throws PayloadUnreadableError */
  async toDecrypt({ keyId, wrappedKey, namespace }: Header): Promise<KeyObject> {
    const local = this.#local.find((one) => one.keyId === keyId);
    if (local !== undefined) return local.key;
    const arns = this.#kmsKeyArns.filter((arn) => acrossRegions(arn) === acrossRegions(keyId));
    if (arns.length === 0) {
      throw new PayloadUnreadableError(
        `the payload is encrypted with the key ${quoted(keyId)}, which is not among the keys given here`,
        { wants: 'key' },
      );
    }
    if (wrappedKey === undefined || wrappedKey.length > MAX_WRAPPED_KEY_BYTES) {
      throw new PayloadUnreadableError('the payload has no data key that AWS KMS could have wrapped');
    }
    return this.#unwrapped.get(idOf(keyId, namespace, wrappedKey), () => this.#unwrap(arns, wrappedKey, namespace));
  }

  /** Makes a data key and unwraps it again. @returns the key that encrypts @throws Error if either fails */
  async check(namespace: string): Promise<string> {
    const { keyId, key, wrappedKey } = await this.toEncrypt(namespace);
    // `toDecrypt` would answer from its cache, without checking the permission to decrypt.
    if (wrappedKey !== undefined) {
      const unwrapped = await (await this.#openKms()).decrypt(keyId, wrappedKey, namespace);
      if (!unwrapped.equals(key)) throw new Error('AWS KMS unwraps another data key than it made');
    }
    return keyId;
  }

  async #make(arn: string, namespace: string): Promise<DataKey> {
    const { key, wrappedKey } = await (await this.#openKms()).generateDataKey(arn, namespace);
    // A worker mostly decrypts what it has encrypted itself.
    void this.#unwrapped.get(idOf(arn, namespace, wrappedKey), () => Promise.resolve(key));
    return { keyId: arn, key, wrappedKey };
  }

  /** Tries each replica of a multi-Region key, in the order of the settings. */
  async #unwrap(arns: readonly string[], wrappedKey: Uint8Array, namespace: string): Promise<KeyObject> {
    const kms = await this.#openKms();
    let failure: PayloadUnreadableError | undefined;
    for (const arn of arns) {
      try {
        return await kms.decrypt(arn, wrappedKey, namespace);
      } catch (cause) {
        failure = new PayloadUnreadableError(
          `the payload can't be decrypted with the key ${quoted(arn)}: AWS KMS does not unwrap it (${(cause as Error).message}), or the payload was changed`,
          { cause, wants: 'key' },
        );
      }
    }
    throw failure ?? new Error('there is no key to ask for');
  }

  #openKms(): Promise<Kms> {
    this.#kms ??= import('./kms.ts').then(({ Kms }) => new Kms());
    return this.#kms;
  }
}

/** Quotes and shortens a text from a payload, which may contain anything. */
export function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 200));
}

function localKey({ name, key }: LocalKey): DataKey {
  if (key.length !== 32) throw new Error(`the key ${quoted(name)} is not 32 bytes long`);
  return { keyId: name, wrappedKey: undefined, key: createSecretKey(key) };
}

/** Makes the replicas of a multi-Region key equal: their ARNs differ only in the region. */
function acrossRegions(arn: string): string {
  return arn.replace(/^(arn:[^:]*:kms):[^:]*:(\d*:key\/mrk-)/, '$1:*:$2');
}

/** Includes the namespace, because KMS unwraps a data key only for its own namespace. */
function idOf(keyId: string, namespace: string, wrappedKey: Uint8Array): string {
  return JSON.stringify([keyId, namespace, Buffer.from(wrappedKey).toString('base64')]);
}

/** Shares one call among concurrent callers. Its answer is reused for five minutes, a failure never. */
class RecentAnswers<T> {
  readonly #entries = new Map<string, { answer: Promise<T>; until: number }>();

  get(id: string, ask: () => Promise<T>): Promise<T> {
    const now = performance.now();
    let entry = this.#entries.get(id);
    if (entry === undefined || entry.until <= now) {
      const fresh = { answer: ask(), until: now + MAX_AGE_MS };
      fresh.answer.catch(() => this.#entries.get(id) === fresh && this.#entries.delete(id));
      entry = fresh;
    }
    // Moves the entry to the end, so that the least recently used one comes first.
    this.#entries.delete(id);
    this.#entries.set(id, entry);
    for (const [first, { until }] of this.#entries) {
      if (this.#entries.size <= MAX_DATA_KEYS && until > now) break;
      this.#entries.delete(first);
    }
    return entry.answer;
  }
}

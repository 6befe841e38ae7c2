/**
 * Messages that were encrypted or decrypted lately, so that what a build hands over again and again is not worked out anew:
 * the input of each poll, the same answer, the summary of each wait.
 */
import { hash } from 'node:crypto';

/** How long keys, and what was made with them, are used again: after it, a revoked key is of no use any more. */
export const MAX_AGE_MS = 5 * 60_000;
/** About 8 KB for each build that polls. */
const MAX_BYTES = 64 * 2 ** 20;
/** A larger message is no part of a poll. */
const MAX_MESSAGE_BYTES = 8 * 2 ** 10;
/** What the map takes for an entry, beside the message and its key. */
const ENTRY_BYTES = 200;

interface Kept {
  message: Uint8Array;
  /** Epoch milliseconds. */
  until: number;
  /** Where what this was made of is kept, as what comes of this. */
  backKey?: string;
}

type Make = (message: Uint8Array) => Promise<Uint8Array>;

/**
 * Keeps what was made of a message, by the message's digest, and forgets what was used least.
 *
 * A message means nothing in another place than its own: `place` is whatever else than the message a result depends on.
 */
export class KeptMessages {
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;

  /**
   * What `encrypt` makes of a plaintext, or has made of the same lately. A worker hands most of what it encrypts to itself,
   * to its activities, and their results to its workflows: so the plaintext is kept as what comes of it.
   */
  async encrypted(place: string, plaintext: Uint8Array, encrypt: Make): Promise<Uint8Array> {
    if (plaintext.length > MAX_MESSAGE_BYTES) return encrypt(plaintext);
    const kept = await this.#of(keyOf('encrypted', place, plaintext), plaintext, encrypt);
    if (kept.message.length <= MAX_MESSAGE_BYTES) {
      kept.backKey ??= keyOf('decrypted', place, kept.message);
      if (!this.#kept.has(kept.backKey)) {
        this.#put(kept.backKey, { message: Uint8Array.from(plaintext), until: kept.until });
      }
    }
    return kept.message;
  }

  /** What `decrypt` makes of a ciphertext, or what is known to come of it. */
  async decrypted(place: string, ciphertext: Uint8Array, decrypt: Make): Promise<Uint8Array> {
    if (ciphertext.length > MAX_MESSAGE_BYTES) return decrypt(ciphertext);
    return (await this.#of(keyOf('decrypted', place, ciphertext), ciphertext, decrypt)).message;
  }

  /** The same of a ciphertext that is not asked for a second time: nothing is kept of it. */
  async decryptedOnce(place: string, ciphertext: Uint8Array, decrypt: Make): Promise<Uint8Array> {
    const key = keyOf('decrypted', place, ciphertext);
    const found = this.#take(key);
    if (found === undefined) return decrypt(ciphertext);
    this.#delete(key, found);
    return found.message;
  }

  async #of(key: string, message: Uint8Array, make: Make): Promise<Kept> {
    const found = this.#take(key);
    if (found !== undefined) return found;
    const until = Date.now() + MAX_AGE_MS;
    // A copy: small buffers are cut from larger ones, which would be kept whole.
    const made = { message: Uint8Array.from(await make(message)), until };
    this.#put(key, made);
    return made;
  }

  #take(key: string): Kept | undefined {
    const kept = this.#kept.get(key);
    if (kept === undefined) return undefined;
    this.#delete(key, kept);
    if (kept.until <= Date.now()) return undefined;
    this.#put(key, kept);
    return kept;
  }

  /** As the one used last. */
  #put(key: string, kept: Kept): void {
    const before = this.#kept.get(key);
    if (before !== undefined) this.#delete(key, before);
    this.#kept.set(key, kept);
    this.#bytes += sizeOf(key, kept);
    for (const [oldestKey, oldest] of this.#kept) {
      if (this.#bytes <= MAX_BYTES && oldest.until > Date.now()) break;
      this.#delete(oldestKey, oldest);
    }
  }

  #delete(key: string, kept: Kept): void {
    this.#kept.delete(key);
    this.#bytes -= sizeOf(key, kept);
  }
}

function sizeOf(key: string, { message }: Kept): number {
  return key.length + message.length + ENTRY_BYTES;
}

function keyOf(what: 'encrypted' | 'decrypted', place: string, message: Uint8Array): string {
  return `${what} ${place} ${hash('sha256', message, 'base64url')}`;
}

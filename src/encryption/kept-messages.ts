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
/** What the map takes for an entry, beside the message: its digest, and the objects around both. */
const ENTRY_BYTES = 300;

export interface Kept {
  message: Uint8Array;
  /** Epoch milliseconds. */
  until: number;
}

/** Keeps what was made of a message, by the message's digest, and forgets what was used least. */
export class KeptMessages {
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;

  /**
   * What `make` makes of a message, or has made of the same lately.
   *
   * @param purpose of the same message, whatever else the result depends on
   */
  async of(purpose: string, message: Uint8Array, make: (message: Uint8Array) => Promise<Uint8Array>): Promise<Kept> {
    const until = Date.now() + MAX_AGE_MS;
    if (message.length > MAX_MESSAGE_BYTES) return { message: await make(message), until };
    const key = keyOf(purpose, message);
    const found = this.#take(key);
    if (found !== undefined) return found;
    // A copy: small buffers are cut from larger ones, which would be kept whole.
    const made = { message: Uint8Array.from(await make(message)), until };
    this.#put(key, made);
    return made;
  }

  /** What is kept of a message, which is not asked for a second time. */
  takeOut(purpose: string, message: Uint8Array): Uint8Array | undefined {
    const key = keyOf(purpose, message);
    const found = this.#take(key);
    if (found !== undefined) this.#delete(key, found);
    return found?.message;
  }

  /**
   * Keeps what is known to come of a message, as if it had been made.
   *
   * @param until epoch milliseconds
   */
  keep(purpose: string, message: Uint8Array, made: Uint8Array, until: number): void {
    if (message.length > MAX_MESSAGE_BYTES) return;
    this.#put(keyOf(purpose, message), { message: Uint8Array.from(made), until });
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
    this.#bytes += kept.message.length + ENTRY_BYTES;
    for (const [oldest, { message, until }] of this.#kept) {
      if (this.#bytes <= MAX_BYTES && until > Date.now()) break;
      this.#delete(oldest, { message, until });
    }
  }

  #delete(key: string, { message }: Kept): void {
    this.#kept.delete(key);
    this.#bytes -= message.length + ENTRY_BYTES;
  }
}

function keyOf(purpose: string, message: Uint8Array): string {
  return `${purpose} ${hash('sha256', message, 'base64url')}`;
}

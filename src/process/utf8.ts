/** Decodes files and stdin as UTF-8. A byte that is not UTF-8 is an error, and is not replaced. */

/** The bytes are not UTF-8 text. The message says at which line and byte, and what to do. */
export class NotUtf8Error extends Error {
  override name = 'NotUtf8Error';
}

const TO_DO = 'save it as UTF-8';
const NUL = 0;
/** Replaces bytes that are not UTF-8, but a text may also contain it as a character. */
const REPLACEMENT = '\uFFFD';

/** @returns the text, without a byte order mark @throws NotUtf8Error */
export function utf8Text(bytes: Uint8Array): string {
  return new Utf8Decoder().decode(bytes, true);
}

/** Decodes a text chunk by chunk; a character may be split across two chunks. @throws NotUtf8Error */
export async function* utf8Chunks(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new Utf8Decoder();
  for await (const chunk of chunks) yield decoder.decode(chunk, false);
  yield decoder.decode(new Uint8Array(), true);
}

class Utf8Decoder {
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  /** The beginning of a character that ends in the next chunk. */
  #rest = Buffer.alloc(0);
  /** The position of `#rest`, both counted from 1. */
  #line = 1;
  #byte = 1;
  #endsInReturn = false;
  #atStart = true;

  decode(chunk: Uint8Array, isLast: boolean): string {
    const bytes = Buffer.concat([this.#rest, chunk]);
    const text = this.#decoded(chunk, isLast);
    const end = text === undefined ? wholeCharacters(bytes) : Buffer.byteLength(text);
    const nul = bytes.subarray(0, end).indexOf(NUL);
    if (text === undefined || nul !== -1) throw this.#fault(bytes, nul === -1 ? end : nul);
    this.#goPast(text);
    this.#rest = bytes.subarray(end);
    if (!this.#atStart || text === '') return text;
    this.#atStart = false;
    return text.replace(/^\uFEFF/, '');
  }

  #decoded(chunk: Uint8Array, isLast: boolean): string | undefined {
    try {
      return this.#decoder.decode(chunk, { stream: !isLast });
    } catch {
      return undefined;
    }
  }

  #fault(bytes: Buffer, at: number): NotUtf8Error {
    this.#goPast(bytes.toString('utf8', 0, at));
    const byte = `0x${bytes.toString('hex', at, at + 1).toUpperCase()}`;
    // Text has no NUL, but half the bytes of common text in UTF-16 are NUL. Its byte order mark is FF FE or FE FF.
    const isUtf16 = bytes.includes(NUL) || (this.#atStart && at === 0 && /^0xF[EF]$/.test(byte));
    const what = isUtf16 ? `${byte}, as in UTF-16` : `${byte} is not UTF-8`;
    return new NotUtf8Error(`line ${this.#line}, byte ${this.#byte}: ${what}; ${TO_DO}`);
  }

  /** Counts lines as editors do: a line ends with LF, CR LF, or CR alone. */
  #goPast(text: string): void {
    if (text === '') return;
    const ends = text.match(/\r\n|\r|\n/g)?.length ?? 0;
    // The previous chunk ended in the CR of this CR LF, which is counted already.
    const endsAgain = this.#endsInReturn && text.startsWith('\n');
    const lineStart = Math.max(text.lastIndexOf('\n'), text.lastIndexOf('\r')) + 1;
    this.#line += endsAgain ? ends - 1 : ends;
    this.#byte = (lineStart === 0 ? this.#byte : 1) + Buffer.byteLength(text.slice(lineStart));
    this.#endsInReturn = text.endsWith('\r');
  }
}

/** @returns how many bytes are whole characters, up to the first that is invalid or cut off */
function wholeCharacters(bytes: Buffer): number {
  const text = bytes.toString();
  let whole = 0;
  for (let from = 0; ;) {
    const at = text.indexOf(REPLACEMENT, from);
    whole += Buffer.byteLength(text.slice(from, at === -1 ? undefined : at));
    // A replacement character that the text itself contains is valid.
    if (at === -1 || bytes.indexOf(REPLACEMENT, whole) !== whole) return whole;
    whole += Buffer.byteLength(REPLACEMENT);
    from = at + REPLACEMENT.length;
  }
}

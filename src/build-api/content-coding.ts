/**
 * Decodes answers that are compressed although the request accepts only `identity`. HTTP allows that.
 * https://www.rfc-editor.org/rfc/rfc9110#field.content-encoding
 */
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, inflateRaw, zstdDecompress } from 'node:zlib';

type Decode = (body: Uint8Array, options: { maxOutputLength: number }) => Promise<Uint8Array>;

const wrapped: Decode = promisify(inflate);
const bare: Decode = promisify(inflateRaw);
const DECODERS: Readonly<Record<string, Decode>> = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  // Some servers omit the wrapper that the standard requires, whose first byte names the method: 8.
  deflate: (body, options) => (((body[0] ?? 0) & 0x0f) === 8 ? wrapped : bare)(body, options),
  br: promisify(brotliDecompress),
  zstd: promisify(zstdDecompress),
};
/** No honest answer nests more codings than this. */
const MAX_CODINGS = 3;

/** The decoded body, or why there is none: it is `cut short` if the compressed stream ends too early. */
export type Decoded = Uint8Array | 'too long' | 'cut short';

/**
 * Decodes a body, up to `maxBytes`. Returns it unchanged if its coding is unknown, or is not the one that the header
 * names.
 */
export async function decoded(
  body: Uint8Array,
  contentEncoding: string | undefined,
  maxBytes: number,
): Promise<Decoded> {
  const codings = (contentEncoding ?? '')
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding !== 'identity');
  if (body.length > maxBytes) return 'too long';
  if (body.length === 0 || codings.length > MAX_CODINGS) return body;
  let plain = body;
  for (const coding of codings.toReversed()) {
    const decode = Object.hasOwn(DECODERS, coding) ? DECODERS[coding] : undefined;
    if (decode === undefined) return body;
    try {
      plain = await decode(plain, { maxOutputLength: maxBytes });
    } catch (err) {
      const { code } = err as NodeJS.ErrnoException;
      if (code === 'ERR_BUFFER_TOO_LARGE') return 'too long';
      return code === 'Z_BUF_ERROR' ? 'cut short' : body;
    }
  }
  return plain;
}

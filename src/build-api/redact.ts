import { clip } from '../domain/failures.ts';

const SHOWN = '[redacted]';
/** Any part of at least 2 × GRAM − 1 characters is found. A credential shorter than GRAM is found only as a whole. */
const GRAM = 12;
/** Longer than any part that is too short to be found, however it is escaped. */
const MARGIN = 512;
/** Escapes of printable ASCII in JSON and in URLs. */
const CODE = /\\u00([2-7][\da-f])|%([2-7][\da-f])/gi;
const BACKSLASHED = /\\(["'\\/])/g;
/** Escapes can be nested, such as in JSON in JSON. */
const LAYERS_OF_ESCAPES = 4;

/**
 * Removes an echoed credential from text that will be stored: plain, in JSON, in a URL or in Base64, as a whole or in
 * part. If the credential is there, all escapes in the text are decoded.
 *
 * @param maxCharacters limits the text. Only this much of it, and a margin, is searched
 */
export type Redact = (text: string, maxCharacters?: number) => string;

export function redactor(credential: string): Redact {
  let needles: Needles | undefined;
  return (text, maxCharacters = Infinity) => {
    if (text.length < Math.min(GRAM, credential.length)) return clip(text, maxCharacters);
    const looked = text.slice(0, maxCharacters + MARGIN);
    needles ??= needlesOf(credential);
    const plain = withoutEscapes(looked);
    const hidden = hide(plain, needles);
    const shown = hidden === plain ? looked : hidden;
    if (looked === text) return clip(shown, maxCharacters);
    // At the cut, a part of the credential may be too short to be found, so up to a margin of text is dropped.
    const end = Math.max(shown.length - MARGIN, shown.lastIndexOf(SHOWN) + SHOWN.length);
    return clip(`${shown.slice(0, end)}…`, maxCharacters);
  };
}

interface Needles {
  /** The credential in each spelling, one on each line. */
  spellings: string;
  /** `places` has the positions in `spellings` of parts with `length` characters. */
  length: number;
  places: ReadonlyMap<string, number>;
}

function needlesOf(credential: string): Needles {
  const plain = withoutEscapes(credential);
  const lines = plain.length < GRAM ? [plain] : [plain, ...base64Of(credential)];
  const length = Math.min(GRAM, ...lines.map((line) => line.length));
  const places = new Map<string, number>();
  let start = 0;
  for (const line of lines) {
    for (let at = 0; at < line.length; at += length) {
      const from = Math.min(at, line.length - length);
      const part = line.slice(from, from + length);
      if (!places.has(part)) places.set(part, start + from);
    }
    start += line.length + 1;
  }
  return { spellings: lines.join('\n'), length, places };
}

/** Inside longer data, Base64 spells the same bytes in three ways and mixes the outer characters with neighbours. */
function base64Of(credential: string): string[] {
  return [0, 1, 2].flatMap((before) => {
    const text = Buffer.from(' '.repeat(before) + credential).toString('base64');
    const ours = text.replace(/=+$/, '').slice(before === 0 ? 0 : before + 1, -1);
    return [ours, ours.replaceAll('+', '-').replaceAll('/', '_')];
  });
}

function withoutEscapes(text: string): string {
  for (let layer = 0; layer < LAYERS_OF_ESCAPES && /[\\%]/.test(text); layer += 1) {
    text = text
      .replace(CODE, (_, json?: string, url?: string) => String.fromCharCode(parseInt(json ?? url ?? '', 16)))
      .replace(BACKSLASHED, '$1');
  }
  return text;
}

function hide(text: string, { spellings, length, places }: Needles): string {
  let shown = '';
  let from = 0;
  for (let i = 0; i + length <= text.length; i += 1) {
    const at = places.get(text.slice(i, i + length));
    if (at === undefined) continue;
    const offset = at - i;
    let [start, end] = [i, i + length];
    while (start > from && text[start - 1] === spellings[start - 1 + offset]) start -= 1;
    while (end < text.length && text[end] === spellings[end + offset]) end += 1;
    shown += start === from && from > 0 ? '' : text.slice(from, start) + SHOWN;
    from = end;
    i = end - 1;
  }
  return shown + text.slice(from);
}

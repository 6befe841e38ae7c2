import { clip } from '../domain/failures.ts';

const SHOWN = '[redacted]';
/** Any part of a credential of at least twice this, less one, is found; a shorter credential as a whole only. */
const GRAM = 12;
/** Longer than any part that is too short to be found, whatever its escapes. */
const MARGIN = 512;
/** Escapes of JSON and of URLs, as far as they spell printable ASCII. */
const CODE = /\\u00([2-7][\da-f])|%([2-7][\da-f])/gi;
const BACKSLASHED = /\\(["'\\/])/g;
/** One inside another, such as JSON in JSON. */
const LAYERS_OF_ESCAPES = 4;

/**
 * Removes a credential from text that will be stored, if somebody echoed it there: as it stands, in JSON, in a URL
 * or in Base64, as a whole or in part. Text that holds it between escapes is shown without any.
 *
 * @param maxCharacters longer text is cut to this. No more than that, and a margin, is looked at
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
    // The cut may have left too short a part of the credential to be found, behind all that was.
    const end = Math.max(shown.length - MARGIN, shown.lastIndexOf(SHOWN) + SHOWN.length);
    return clip(`${shown.slice(0, end)}…`, maxCharacters);
  };
}

interface Needles {
  /** The credential in each spelling, a line each. */
  spellings: string;
  /** Where parts of so many characters stand in `spellings`. */
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

/** In the middle of more, Base64 has three ways to spell the same bytes, and shares its first and last characters. */
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

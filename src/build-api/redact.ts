const SHOWN = '[redacted]';
/** Any part of a credential of at least twice this, less one, is found; a shorter credential as a whole only. */
const GRAM = 12;
/** Texts that are looked through, each without one more layer of escapes: all of JSON in URLs in HTML, and deeper chains. */
const MAX_LAYERS = 40;

/** Each way of escaping by itself, since what is an escape in one may be the credential's own in another. */
const ESCAPES = [
  /\\u([0-9a-f]{4})|\\x([0-9a-f]{2})|\\(["'/\\])/gi,
  /%([0-9a-f]{2})/gi,
  /&#x([0-9a-f]{1,6});|&#(\d{1,7});|&(quot|amp|lt|gt|apos);/gi,
];
const ENTITIES: Readonly<Record<string, string>> = { quot: '"', amp: '&', lt: '<', gt: '>', apos: "'" };

/**
 * Makes what takes a credential out of text that is going to be kept, should somebody have echoed it: as it stands, in
 * part, escaped as JSON, URLs or HTML do it (one inside another, too), in base64 or in hexadecimal.
 */
export function redactor(credential: string): (text: string) => string {
  let needles: Needles | undefined;
  return (text) => {
    needles ??= needlesOf(spellingsOf(credential));
    const hidden = new Uint8Array(text.length);
    const layers: Layer[] = [{ text, start: undefined, end: undefined }];
    // The list grows while it is gone through: shallow layers first.
    for (const layer of layers) {
      mark(layer, needles, hidden);
      for (const escape of ESCAPES) {
        const below = layers.length < MAX_LAYERS ? decoded(layer, escape) : undefined;
        if (below !== undefined) layers.push(below);
      }
    }
    return shownOf(text, hidden);
  };
}

/** ASCII text as it is after so many layers of escapes, and where each of its characters stands in the original. */
interface Layer {
  text: string;
  /** `undefined` where nothing was decoded yet. */
  start: Uint32Array | undefined;
  end: Uint32Array | undefined;
}

interface Needles {
  length: number;
  places: Map<string, { spelling: string; at: number }>;
}

function spellingsOf(credential: string): string[] {
  if (credential.length < GRAM) return [credential];
  const bytes = Buffer.from(credential);
  // In the middle of more, base64 has three ways to spell the same bytes, and shares its first and last characters.
  const base64 = [0, 1, 2].flatMap((before) => {
    const whole = Buffer.concat([Buffer.alloc(before), bytes]);
    const text = whole
      .toString('base64')
      .replace(/=+$/, '')
      .slice(before === 0 ? 0 : before + 1, -1);
    return [text, text.replaceAll('+', '-').replaceAll('/', '_')];
  });
  const hex = bytes.toString('hex');
  return [credential, ...base64, hex, hex.toUpperCase()];
}

function needlesOf(spellings: readonly string[]): Needles {
  const length = Math.min(GRAM, ...spellings.map((spelling) => spelling.length));
  const places: Needles['places'] = new Map();
  for (const spelling of spellings) {
    for (let at = 0; at + length <= spelling.length; at += length) add(spelling, at);
    add(spelling, spelling.length - length);
  }
  return { length, places };

  function add(spelling: string, at: number): void {
    const gram = spelling.slice(at, at + length);
    if (!places.has(gram)) places.set(gram, { spelling, at });
  }
}

function mark(layer: Layer, { length, places }: Needles, hidden: Uint8Array): void {
  const { text, start, end } = layer;
  for (let i = 0; i + length <= text.length; i += 1) {
    const place = places.get(text.slice(i, i + length));
    if (place === undefined) continue;
    const { spelling, at } = place;
    let [from, to] = [i, i + length];
    while (from > 0 && at - (i - from) > 0 && text[from - 1] === spelling[at - (i - from) - 1]) from -= 1;
    while (to < text.length && text[to] === spelling[at + (to - i)]) to += 1;
    hidden.fill(1, start?.[from] ?? from, end?.[to - 1] ?? to);
    i = to - 1;
  }
}

/** @returns the text without one layer of such escapes, `undefined` where it has none */
function decoded({ text, start, end }: Layer, escape: RegExp): Layer | undefined {
  const characters: string[] = [];
  const starts = new Uint32Array(text.length);
  const ends = new Uint32Array(text.length);
  let [length, from] = [0, 0];
  const take = (character: string, first: number, last: number) => {
    starts[length] = start?.[first] ?? first;
    ends[length] = end?.[last] ?? last + 1;
    length += 1;
    characters.push(character);
  };
  const takeUntil = (index: number) => {
    for (; from < index; from += 1) take(text.charAt(from), from, from);
  };
  for (const match of text.matchAll(escape)) {
    takeUntil(match.index);
    take(characterOf(match[0]), from, from + match[0].length - 1);
    from += match[0].length;
  }
  if (length === from) return undefined;
  takeUntil(text.length);
  return { text: characters.join(''), start: starts, end: ends };
}

/** Beyond ASCII it is no part of a credential. */
function characterOf(escape: string): string {
  const named = ENTITIES[escape.slice(1, -1).toLowerCase()];
  if (named !== undefined) return named;
  const hex = /^(?:%|\\u|\\x|&#x)([0-9a-f]+);?$/i.exec(escape)?.[1];
  if (hex === undefined && !escape.startsWith('&#')) return escape.charAt(1);
  const code = hex === undefined ? Number(escape.slice(2, -1)) : parseInt(hex, 16);
  return code < 0x80 ? String.fromCharCode(code) : '\uFFFD';
}

function shownOf(text: string, hidden: Uint8Array): string {
  let shown = '';
  let from = 0;
  for (let at = hidden.indexOf(1); at !== -1; at = hidden.indexOf(1, from)) {
    shown += text.slice(from, at) + SHOWN;
    from = hidden.indexOf(0, at);
    if (from === -1) return shown;
  }
  return shown + text.slice(from);
}

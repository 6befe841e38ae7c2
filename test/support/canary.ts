/** A credential to search for in all that a system writes, in every encoding that SECURITY.md promises to find. */

/** Has characters that JSON and URLs escape, base64's alphabet, and distinctive parts in between. */
export const CANARY = 'canary-7f3a"quoted"\\back/slash+plus%41=<b>&amp;{"j":1}~c4n4ry-0123456789-c4n4ry-end';

/** The directory's password, found by the same parts. */
export const DIRECTORY_CANARY = 'directory canary-7f3a"\\c4n4ry-0123456789-c4n4ry-end';

/** Parts that no escape changes. They remain if only a part of a canary was redacted. */
const TELLING_PARTS = ['canary-7f3a', 'c4n4ry-0123456789', 'c4n4ry-end'];

/** Every encoding of the canary in an echo, by name. */
export const ECHOES: Readonly<Record<string, string>> = {
  'as it is': CANARY,
  'as JSON': JSON.stringify(CANARY),
  'as JSON with every character escaped': `"${Array.from(CANARY)
    .map((c) => `\\u${hex(c, 4)}`)
    .join('')}"`,
  'as JSON with slashes escaped': JSON.stringify(CANARY).replaceAll('/', '\\/'),
  'as JSON in JSON': JSON.stringify(JSON.stringify(CANARY)),
  'as JSON in JSON in JSON': JSON.stringify(JSON.stringify(JSON.stringify(CANARY))),
  'percent-encoded': encodeURIComponent(CANARY),
  'percent-encoded to the last character': Array.from(CANARY)
    .map((c) => `%${hex(c, 2)}`)
    .join(''),
  'percent-encoded twice': encodeURIComponent(encodeURIComponent(CANARY)),
  'in base64': Buffer.from(CANARY).toString('base64'),
  'in base64 behind a user name': Buffer.from(`user:${CANARY}`).toString('base64'),
  'in base64 behind two characters': Buffer.from(`::${CANARY}::`).toString('base64'),
  'in base64 for URLs': Buffer.from(CANARY).toString('base64url'),
  'its first half': CANARY.slice(0, 48),
  'its last half': CANARY.slice(-40),
  'without its first characters': CANARY.slice(5),
};

function hex(character: string, digits: number): string {
  return character.charCodeAt(0).toString(16).padStart(digits, '0');
}

/** @returns the forms of the canary that a text or file holds */
export function canariesIn(text: string | Buffer): string[] {
  const where = Buffer.isBuffer(text) ? text : Buffer.from(text);
  const forms = Object.values(ECHOES).flatMap((echo) => [echo, echo.replaceAll('"', '')]);
  const encoded = TELLING_PARTS.flatMap((part) => [
    part,
    ...[0, 1, 2].map((shift) => {
      const bytes = Buffer.concat([Buffer.alloc(shift), Buffer.from(part)]);
      return bytes.toString('base64').slice(shift === 0 ? 0 : shift + 1, Math.floor((bytes.length * 8) / 6) - 1);
    }),
    Array.from(part)
      .map((c) => `\\u${hex(c, 4)}`)
      .join(''),
    Array.from(part)
      .map((c) => `%${hex(c, 2)}`)
      .join(''),
  ]);
  return [...new Set([...forms, ...encoded])].filter((form) => where.includes(form));
}

/** Parses distinguished names. https://www.rfc-editor.org/rfc/rfc4514 */

/** From the entry up to the root. */
export type DistinguishedName = readonly { type: string; value: string }[];

/** A type, then a value with escapes or in quotes (which RFC 2253 lets readers accept), then a comma or the end. */
const RDN = /\s*([A-Za-z][\w-]*)\s*=\s*(?:"((?:[^"\\]|\\.)*)"\s*|((?:[^,+"\\<>;]|\\[\da-fA-F]{2}|\\.)*))(?:,|$)/suy;

/** @throws if the text is not a distinguished name */
export function parseDn(text: string): DistinguishedName {
  const rdns: { type: string; value: string }[] = [];
  const at = new RegExp(RDN);
  for (let end = 0; end < text.length; end = at.lastIndex) {
    at.lastIndex = end;
    const [, type, quoted, plain = ''] = at.exec(text) ?? [];
    if (type === undefined) throw new Error(`no distinguished name: ${text}`);
    rdns.push({ type, value: unescape(quoted ?? plain.replace(/(?<!\\)\s+$/u, '')) });
  }
  return rdns;
}

/** Returns a key for comparisons. Active Directory ignores case. */
export function keyOf(dn: DistinguishedName): string {
  return formatDn(dn).toLowerCase();
}

export function formatDn(dn: DistinguishedName): string {
  return dn.map(({ type, value }) => `${type}=${escape(value)}`).join(',');
}

function escape(value: string): string {
  return value.replace(/[,+"\\<>;=]|^[ #]| $/gu, '\\$&');
}

function unescape(value: string): string {
  return value.replace(/((?:\\[\da-fA-F]{2})+)|\\(.)/gsu, (_, hex: string | undefined, character: string) =>
    hex === undefined ? character : Buffer.from(hex.replaceAll('\\', ''), 'hex').toString('utf8'),
  );
}

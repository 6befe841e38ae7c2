/** Reads search filters. https://www.rfc-editor.org/rfc/rfc4511#section-4.5.1.7 */
import { Ber, SearchFilter, type BerReader } from 'ldapts';

/** Returns the values of an attribute, by its name in lower case. */
export type ValuesOf = (attribute: string) => readonly Buffer[];
export type Filter = (valuesOf: ValuesOf) => boolean;

/** Substrings may be at the beginning, anywhere and at the end. */
const INITIAL = 0x80;
const FINAL = 0x82;

/** @throws if the simulated directory does not support the filter */
export function readFilter(reader: BerReader): Filter {
  const type = reader.peek() ?? 0;
  if (type === SearchFilter.present) {
    const attribute = (reader.readString(SearchFilter.present) ?? '').toLowerCase();
    return (valuesOf) => valuesOf(attribute).length > 0;
  }
  reader.readSequence();
  const end = reader.offset + reader.length;
  switch (type) {
    case SearchFilter.and: {
      const filters = readFilters(reader, end);
      return (valuesOf) => filters.every((filter) => filter(valuesOf));
    }
    case SearchFilter.or: {
      const filters = readFilters(reader, end);
      return (valuesOf) => filters.some((filter) => filter(valuesOf));
    }
    case SearchFilter.not: {
      const filter = readFilter(reader);
      return (valuesOf) => !filter(valuesOf);
    }
    case SearchFilter.equalityMatch: {
      const attribute = (reader.readString() ?? '').toLowerCase();
      const wanted = reader.readString(Ber.OctetString, true) ?? Buffer.alloc(0);
      return (valuesOf) => valuesOf(attribute).some((value) => isEqual(value, wanted));
    }
    case SearchFilter.substrings:
      return readSubstrings(reader);
    default:
      throw new Error(`filter 0x${type.toString(16)} is not known here`);
  }
}

function readFilters(reader: BerReader, end: number): Filter[] {
  const filters: Filter[] = [];
  while (reader.offset < end) filters.push(readFilter(reader));
  return filters;
}

function readSubstrings(reader: BerReader): Filter {
  const attribute = (reader.readString() ?? '').toLowerCase();
  reader.readSequence();
  const end = reader.offset + reader.length;
  let pattern = '';
  while (reader.offset < end) {
    const tag = reader.peek() ?? 0;
    const part = (reader.readString(tag) ?? '').replace(/[\\^$.*+?()[\]{}|]/gu, '\\$&');
    pattern += tag === INITIAL ? `^${part}` : tag === FINAL ? `.*${part}$` : `.*${part}`;
  }
  const wanted = new RegExp(pattern, 'isu');
  return (valuesOf) => valuesOf(attribute).some((value) => wanted.test(value.toString('utf8')));
}

/** Compares without case, as most of Active Directory's attributes do. */
function isEqual(value: Buffer, wanted: Buffer): boolean {
  return value.equals(wanted) || value.toString('utf8').toLowerCase() === wanted.toString('utf8').toLowerCase();
}

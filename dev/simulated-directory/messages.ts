/** Reads and writes LDAP messages. https://www.rfc-editor.org/rfc/rfc4511#section-4 */
import type { Readable } from 'node:stream';
import { Ber, BerReader, BerWriter, ProtocolOperation } from 'ldapts';

/** https://www.rfc-editor.org/rfc/rfc4511#section-4.1.9 */
export const RESULT = {
  success: 0,
  operationsError: 1,
  protocolError: 2,
  sizeLimitExceeded: 4,
  authMethodNotSupported: 7,
  referral: 10,
  constraintViolation: 19,
  noSuchObject: 32,
  invalidDnSyntax: 34,
  invalidCredentials: 49,
  insufficientAccessRights: 50,
  objectClassViolation: 65,
  entryAlreadyExists: 68,
} as const;

/** The tag of a result's referral. https://www.rfc-editor.org/rfc/rfc4511#section-4.1.10 */
const REFERRAL_TAG = 0xa3;
/** https://www.rfc-editor.org/rfc/rfc2696 */
const PAGED_RESULTS = '1.2.840.113556.1.4.319';

export interface Message {
  id: number;
  /** One of ldapts' `ProtocolOperation`. */
  operation: number;
  /** Positioned at the operation's content. */
  reader: BerReader;
  /** Where the operation's content ends. */
  end: number;
  bytes: Buffer;
}

export interface Result {
  code: number;
  matchedDn?: string;
  message?: string;
  /** The URLs of a result with code 10. */
  referrals?: readonly string[];
}

/** Yields the messages of a connection as they arrive. */
export async function* readMessages(connection: Readable): AsyncGenerator<Message> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of connection) {
    rest = Buffer.concat([rest, chunk as Buffer]);
    for (let size = sizeOf(rest); size !== undefined && size <= rest.length; size = sizeOf(rest)) {
      yield parseMessage(rest.subarray(0, size));
      rest = rest.subarray(size);
    }
  }
}

function sizeOf(bytes: Buffer): number | undefined {
  const reader = new BerReader(bytes);
  return reader.readSequence() === null ? undefined : reader.offset + reader.length;
}

function parseMessage(bytes: Buffer): Message {
  const reader = new BerReader(bytes);
  reader.readSequence();
  const id = reader.readInt() ?? 0;
  const operation = reader.readSequence() ?? 0;
  return { id, operation, reader, end: reader.offset + reader.length, bytes };
}

/** Encodes a message whose operation ends with a result. */
export function resultMessage(id: number, operation: number, result: Result, nextPage?: string): Buffer {
  return message(
    id,
    operation,
    (writer) => {
      writer.writeEnumeration(result.code);
      writer.writeString(result.matchedDn ?? '');
      writer.writeString(result.message ?? '');
      if (result.referrals === undefined) return;
      writer.startSequence(REFERRAL_TAG);
      writer.writeStringArray([...result.referrals]);
      writer.endSequence();
    },
    nextPage,
  );
}

export function entryMessage(id: number, dn: string, attributes: readonly [name: string, values: Buffer[]][]): Buffer {
  return message(id, ProtocolOperation.LDAP_RES_SEARCH_ENTRY, (writer) => {
    writer.writeString(dn);
    writer.startSequence();
    for (const [name, values] of attributes) {
      writer.startSequence();
      writer.writeString(name);
      writer.startSequence(ProtocolOperation.LBER_SET);
      for (const value of values) writer.writeBuffer(value, Ber.OctetString);
      writer.endSequence();
      writer.endSequence();
    }
    writer.endSequence();
  });
}

export function referenceMessage(id: number, url: string): Buffer {
  return message(id, ProtocolOperation.LDAP_RES_SEARCH_REF, (writer) => writer.writeString(url));
}

function message(id: number, operation: number, write: (writer: BerWriter) => void, nextPage?: string): Buffer {
  const writer = new BerWriter();
  writer.startSequence();
  writer.writeInt(id);
  writer.startSequence(operation);
  write(writer);
  writer.endSequence();
  if (nextPage !== undefined) writePagedResults(writer, nextPage);
  writer.endSequence();
  return writer.buffer;
}

function writePagedResults(writer: BerWriter, cookie: string): void {
  const value = new BerWriter();
  value.startSequence();
  value.writeInt(0);
  value.writeString(cookie);
  value.endSequence();
  writer.startSequence(ProtocolOperation.LDAP_CONTROLS);
  writer.startSequence();
  writer.writeString(PAGED_RESULTS);
  writer.writeBuffer(value.buffer, Ber.OctetString);
  writer.endSequence();
  writer.endSequence();
}

/** Reads a request's paged results control; the reader must be positioned after the operation. */
export function readPagedResults({ reader }: Message): { size: number; cookie: string } | undefined {
  if (reader.peek() !== ProtocolOperation.LDAP_CONTROLS) return undefined;
  reader.readSequence();
  const end = reader.offset + reader.length;
  while (reader.offset < end) {
    reader.readSequence();
    const type = reader.readString();
    if (reader.peek() === Ber.Boolean) reader.readBoolean();
    const value = reader.peek() === Ber.OctetString ? reader.readString(Ber.OctetString, true) : null;
    if (type !== PAGED_RESULTS || value === null) continue;
    const inner = new BerReader(value);
    inner.readSequence();
    return { size: inner.readInt() ?? 0, cookie: inner.readString() ?? '' };
  }
  return undefined;
}

/** Checks what a directory sends, which may be broken, endless or spelled differently. */
import type { TLSSocket } from 'node:tls';
import { ApplicationFailure, type ApplicationFailureOptions } from '@temporalio/common';
import * as ldap from 'ldapts';
import { DIRECTORY_TEXT_MAX_CHARACTERS } from '../domain/directory-group.ts';
import { clip, type FailureName } from '../domain/failures.ts';

/** Counted from the last request. A page of groups takes a tenth of it. */
const ANSWER_MAX_BYTES = 1024 * 1024;
/** A directory's error text has a few hundred characters. Temporal limits the size of a failure. */
const TEXT_MAX_CHARACTERS = 8_192;

const { readLength, readSequence } = ldap.BerReader.prototype;
const cut = () => new ldap.InvalidAsn1Error('a part is longer than its message');
// If a part is missing or longer than its message, the library reads the same place forever. Only the message itself,
// which begins at 0, may be incomplete, because more of it may still come.
ldap.BerReader.prototype.readLength = function (this: ldap.BerReader, start?: number): number | null {
  const from = readLength.call(this, start);
  const isCut = from === null || from + this.length > this.offset + this.remain;
  if (this.length < 0 || (isCut && start !== 1)) throw cut();
  return from;
};
ldap.BerReader.prototype.readSequence = function (this: ldap.BerReader, tag?: number): number | null {
  const found = readSequence.call(this, tag);
  if (found === null && this.offset > 0) throw cut();
  return found;
};

/** Limits an answer's size, because the library buffers everything that arrives. */
export function limitAnswers(socket: TLSSocket): void {
  let sent = 0;
  let received = 0;
  socket.on('data', ({ length }: Buffer) => {
    received = socket.bytesWritten === sent ? received + length : length;
    sent = socket.bytesWritten;
    if (received <= ANSWER_MAX_BYTES) return;
    socket.destroy(directoryFailure('DirectoryRefused', `the directory answers with over ${ANSWER_MAX_BYTES} bytes`));
  });
}

/**
 * Finds an attribute whatever its case, because directories spell names differently.
 * https://www.rfc-editor.org/rfc/rfc4512#section-2.5
 */
export function valuesOf(entry: ldap.Entry, attribute: string): (string | Buffer)[] {
  const name = Object.keys(entry).find((one) => one.toLowerCase() === attribute.toLowerCase());
  return name === undefined ? [] : [entry[name] ?? []].flat();
}

/** Joins several values by commas. No name of ours has a comma. */
export function textOf(entry: ldap.Entry, attribute: string): string {
  return valuesOf(entry, attribute).join();
}

/** @returns the text @throws ApplicationFailure if it is too long for a record */
export function recordable(attribute: string, text: string): string {
  if (text.length <= DIRECTORY_TEXT_MAX_CHARACTERS) return text;
  throw unusable(`${attribute} has ${text.length} characters, and a record holds ${DIRECTORY_TEXT_MAX_CHARACTERS}`);
}

export function unusable(why: string): ApplicationFailure {
  return directoryFailure('DirectoryRefused', `the directory's answer can not be used: ${why}`);
}

/** Retryable only if it is `DirectoryUnavailable`, unless `more` says otherwise. */
export function directoryFailure(
  type: FailureName,
  message: string,
  more: ApplicationFailureOptions = {},
): ApplicationFailure {
  const { cause } = more;
  if (cause !== undefined && cause.message.length > TEXT_MAX_CHARACTERS) {
    cause.stack = cause.message = clip(cause.message, TEXT_MAX_CHARACTERS);
  }
  const nonRetryable = type !== 'DirectoryUnavailable';
  return ApplicationFailure.create({ type, message: clip(message, TEXT_MAX_CHARACTERS), nonRetryable, ...more });
}

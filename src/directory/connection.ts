/** Connects to the directory, with one connection and one bind for each attempt, and classifies the failures. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { TemporalFailure } from '@temporalio/common';
import * as ldap from 'ldapts';
import PQueue from 'p-queue';
import type { DirectorySettings } from '../config/directory.ts';
import type { DirectoryServer } from '../domain/directory-group.ts';
import { utf8Text } from '../process/utf8.ts';
import { directoryFailure, limitAnswers, recordable, textOf } from './answers.ts';

const TRANSIENT = [ldap.BusyError, ldap.TimeLimitExceededError, ldap.UnavailableError];
/** https://www.rfc-editor.org/rfc/rfc4511#section-4.1.10 */
const REFERRAL = 10;
/** Active Directory's codes for an account that is locked, disabled or expired. They don't mean a wrong password. */
const NOT_THE_PASSWORD = /\bdata (530|531|533|701|775)\b/;
const REFUSED =
  'the directory refused the password of DIRECTORY_BIND_USER; it is not sent again until DIRECTORY_PASSWORD_FILE changes';

export interface Connection {
  client: ldap.Client;
  server: DirectoryServer;
  domainDn: string;
  certificateExpires: Date;
}

export class Connector {
  protected readonly settings: DirectorySettings;
  /** A few refused binds lock an account, so binds are made one after the other. */
  readonly #binds = new PQueue({ concurrency: 1 });
  /** The password file as it was when the directory refused the password. */
  #refused: string | undefined;

  constructor(settings: DirectorySettings) {
    this.settings = settings;
  }

  /** Returns why no bind is made until the password file is written or touched; `undefined` if binds are made. */
  whyNot(): string | undefined {
    return this.#refused !== undefined && this.#refused === this.#password().file ? REFUSED : undefined;
  }

  /** @param to the one domain controller to connect to @throws TemporalFailure */
  async connected<T>(to: DirectoryServer | undefined, use: (connection: Connection) => Promise<T>): Promise<T> {
    const { DIRECTORY_URL: url, DIRECTORY_CA_FILE: caFile } = this.settings;
    const { hostname, port } = new URL(url);
    const host = hostname.replace(/^\[(.*)\]$/, '$1');
    const timeout = this.settings.DIRECTORY_TIMEOUT_SECONDS * 1000;
    let socket: TLSSocket | undefined;
    const createSecureConnection = () => {
      // The library would connect again, but without a bind.
      if (socket !== undefined) throw new Error('the connection was lost');
      const made = connect({
        host: to?.address ?? host,
        port: Number(port || 636),
        // The certificate must have the host name of the settings, whatever address is connected to.
        ...(isIP(host) === 0 && { servername: host }),
        ...(caFile !== undefined && { ca: readRegular(caFile).bytes }),
        rejectUnauthorized: true,
      });
      socket = made.once('secureConnect', () => limitAnswers(made));
      return socket;
    };
    const client = new ldap.Client({ url, timeout, connectTimeout: timeout, createSecureConnection });
    try {
      // Anybody may read the root entry. It identifies the server before a password is sent.
      const attributes = ['dnsHostName', 'defaultNamingContext'];
      const { searchEntries } = await client.search('', { scope: 'base', attributes });
      const [name, domainDn] = attributes.map((attribute) => textOf(searchEntries[0] ?? { dn: '' }, attribute));
      if (!name || !domainDn) throw directoryFailure('DirectoryRefused', `${host} is no domain controller`);
      recordable('dnsHostName', name);
      if (to !== undefined && to.name !== name) throw new Error(`${name} answered instead`);
      await this.#binds.add(() => this.#bind(client));
      const address = socket?.remoteAddress;
      // A destroyed socket has no certificate.
      if (address === undefined || socket?.destroyed !== false) throw new Error('the connection was lost');
      const certificateExpires = new Date(socket.getPeerCertificate().valid_to);
      return await use({ client, server: { name, address }, domainDn, certificateExpires });
    } catch (err) {
      throw toFailure(socket?.errored instanceof TemporalFailure ? socket.errored : (err as Error));
    } finally {
      socket?.destroy();
    }
  }

  async #bind(client: ldap.Client): Promise<void> {
    const { file, password } = this.#password();
    // The directory would accept a bind without a password as an anonymous one.
    const why = password === '' ? 'DIRECTORY_PASSWORD_FILE is empty or can not be read' : this.whyNot();
    if (why !== undefined) throw directoryFailure('DirectoryRefused', why);
    try {
      await client.bind(this.settings.DIRECTORY_BIND_USER, password);
    } catch (err) {
      // The server's message goes into records and logs, and may repeat the password.
      const cause = err as Error;
      cause.message = cause.message.replaceAll(password, '[password]');
      cause.stack = cause.message;
      if (!(cause instanceof ldap.InvalidCredentialsError) || NOT_THE_PASSWORD.test(cause.message)) throw cause;
      this.#refused = file;
      throw directoryFailure('DirectoryRefused', REFUSED, { cause });
    }
  }

  /** @returns the password, and as `file` a value that changes when the file is written or touched */
  #password(): { password: string; file: string } {
    const path = this.settings.DIRECTORY_PASSWORD_FILE;
    try {
      const { bytes, mtimeMs } = readRegular(path);
      const password = utf8Text(bytes).replace(/\r?\n$/, '');
      return { password, file: `${mtimeMs} ${password}` };
    } catch {
      return { password: '', file: '' };
    }
  }
}

/** Refuses pipes: a worker that waits for a pipe's writer can't even be stopped. */
function readRegular(path: string): { bytes: Buffer; mtimeMs: number } {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw new Error('it is no regular file');
    return { bytes: readFileSync(fd), mtimeMs: stats.mtimeMs };
  } finally {
    closeSync(fd);
  }
}

function toFailure(cause: Error): TemporalFailure {
  if (cause instanceof TemporalFailure) return cause;
  // Active Directory ends its texts with a NUL.
  const said = cause.message.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim();
  // Errors of the library's parser have `messageDetails`. An answer to another request causes a TypeError.
  if ('messageDetails' in cause || cause instanceof TypeError) {
    return directoryFailure('DirectoryRefused', `the directory's answer can not be read: ${said}`, { cause });
  }
  const isAnswer = cause instanceof ldap.ResultCodeError && !TRANSIENT.some((one) => cause instanceof one);
  if (!isAnswer) return directoryFailure('DirectoryUnavailable', `the directory did not answer: ${said}`, { cause });
  const refers = cause.code === REFERRAL ? 'it refers to another server: ' : '';
  return directoryFailure('DirectoryRefused', `the directory refused: ${refers}${said}`, { cause });
}

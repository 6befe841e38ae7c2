/**
 * A simulated directory: the part of Active Directory over LDAPS that a role's group needs. It has one domain with an
 * OU for groups, an administrator, and a service account that may create groups in that OU and nothing else.
 */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import tls from 'node:tls';
import { Ber, ProtocolOperation } from 'ldapts';
import { authorityOf, listen } from '../../src/process/listen.ts';
import type { Certificate } from '../servers/certificates.ts';
import { Accounts, childClasses, type Account, type Holder } from './accounts.ts';
import { keyOf, parseDn, type DistinguishedName } from './distinguished-names.ts';
import { attributesOf, Entries, textOf, type Attributes, type Entry } from './entries.ts';
import { readFilter } from './filters.ts';
import {
  entryMessage,
  readMessages,
  readPagedResults,
  referenceMessage,
  RESULT,
  resultMessage,
  type Message,
  type Result,
} from './messages.ts';

export const DOMAIN = 'DC=corp,DC=example,DC=com';
export const GROUP_OU = `OU=AWS Roles,${DOMAIN}`;
const USERS = `CN=Users,${DOMAIN}`;

export interface SimulatedDirectory {
  /** `ldaps://…` */
  url: string;
  /** The distinguished names of all groups. */
  groups(): string[];
  /** Closes the port and every connection. */
  close(): Promise<void>;
}

export interface SimulatedDirectoryOptions {
  certificate: Certificate;
  administrator: Account;
  /** May create groups in the OU. */
  serviceAccount: Account;
  /** May read. */
  otherAccount?: Account;
  host?: string;
  /** 0 takes a free one. */
  port?: number;
}

/** The most entries that one answer can have; a client gets more only in pages. */
const MAX_PAGE_SIZE = 1000;
/** Active Directory's answer to wrong credentials. */
const INVALID_CREDENTIALS: Result = {
  code: RESULT.invalidCredentials,
  message: '80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data 52e, v4563',
};
const NOT_BOUND: Result = {
  code: RESULT.operationsError,
  message: '000004DC: LdapErr: DSID-0C090A5C, comment: a successful bind must be completed on the connection',
};
/** The schema's spelling of attributes, whatever the spelling in the request. */
const SPELLINGS = new Map(
  [
    'allowedChildClassesEffective defaultNamingContext distinguishedName dnsHostName groupType info memberOf member',
    'namingContexts objectClass objectGUID rootDomainNamingContext sAMAccountName supportedControl',
    'supportedLDAPVersion userAccountControl userPrincipalName',
  ]
    .join(' ')
    .split(' ')
    .map((name) => [name.toLowerCase(), name]),
);

export async function startSimulatedDirectory(options: SimulatedDirectoryOptions): Promise<SimulatedDirectory> {
  const entries = new Entries();
  const domain = parseDn(DOMAIN);
  for (const [dn, objectClass] of [
    [DOMAIN, 'domainDNS'],
    [USERS, 'container'],
    [GROUP_OU, 'organizationalUnit'],
  ] as const) {
    entries.put(parseDn(dn), attributesOf({ objectClass }));
  }
  const ou = parseDn(GROUP_OU);
  const accounts = new Accounts(entries);
  accounts.add(options.administrator, USERS);
  accounts.add(options.serviceAccount, USERS, { below: ou, classes: ['group'] });
  if (options.otherAccount !== undefined) accounts.add(options.otherAccount, USERS, { below: ou, classes: [] });

  const connections = new Set<Socket>();
  const server = tls.createServer({ ...options.certificate, noDelay: true }, (connection) => {
    connections.add(connection);
    connection.on('close', () => connections.delete(connection));
    connection.on('error', () => connection.destroy());
    serve(connection).catch(() => connection.destroy());
  });
  // A client may reject the certificate, which is not an error of this program.
  server.on('tlsClientError', () => {});

  async function serve(connection: Socket): Promise<void> {
    let who: Holder | undefined;
    for await (const message of readMessages(connection)) {
      const { id, operation } = message;
      switch (operation) {
        case ProtocolOperation.LDAP_REQ_BIND: {
          const [result, bound] = bind(message);
          who = bound;
          connection.write(resultMessage(id, ProtocolOperation.LDAP_RES_BIND, result));
          break;
        }
        case ProtocolOperation.LDAP_REQ_SEARCH:
          for (const answer of search(message, who)) connection.write(answer);
          break;
        case ProtocolOperation.LDAP_REQ_ADD:
          connection.write(resultMessage(id, ProtocolOperation.LDAP_RES_ADD, add(message, who)));
          break;
        case ProtocolOperation.LDAP_REQ_ABANDON:
          break;
        case ProtocolOperation.LDAP_REQ_UNBIND:
          return void connection.end();
        default:
          throw new Error(`operation 0x${operation.toString(16)} is not known here`);
      }
    }
  }

  function bind({ reader }: Message): [Result, Holder | undefined] {
    reader.readInt();
    const name = reader.readString() ?? '';
    if (reader.peek() !== Ber.Context) return [{ code: RESULT.authMethodNotSupported }, undefined];
    const password = reader.readString(Ber.Context) ?? '';
    if (name === '' && password === '') return [{ code: RESULT.success }, undefined];
    const found = accounts.bind(name, password);
    return found === undefined ? [INVALID_CREDENTIALS, undefined] : [{ code: RESULT.success }, found];
  }

  function add({ reader, end }: Message, who: Holder | undefined): Result {
    if (who === undefined) return NOT_BOUND;
    const dn = dnOrUndefined(reader.readString() ?? '');
    if (dn === undefined) return { code: RESULT.invalidDnSyntax };
    const attributes = readAttributes(reader, end);
    const parent = entries.find(dn.slice(1));
    if (parent === undefined) return missing(dn);
    const objectClass = attributes.get('objectclass')?.at(-1)?.toString() ?? '';
    if (!childClasses(parent, who).includes(objectClass)) {
      return {
        code: RESULT.insufficientAccessRights,
        message: '00000005: SecErr: DSID-031528D2, problem 4003 (INSUFF_ACCESS_RIGHTS), data 0',
      };
    }
    return entries.add(dn, attributes);
  }

  function readAttributes(reader: Message['reader'], end: number): Attributes {
    const attributes: Attributes = new Map();
    reader.readSequence();
    while (reader.offset < end) {
      reader.readSequence();
      const name = (reader.readString() ?? '').toLowerCase();
      reader.readSequence();
      const last = reader.offset + reader.length;
      const values: Buffer[] = [];
      while (reader.offset < last) values.push(reader.readString(Ber.OctetString, true) ?? Buffer.alloc(0));
      attributes.set(name, values);
    }
    return attributes;
  }

  function* search(message: Message, who: Holder | undefined): Generator<Buffer> {
    const { id, reader } = message;
    const base = dnOrUndefined(reader.readString() ?? '');
    const scope = (['base', 'one', 'sub'] as const)[reader.readEnumeration() ?? 0] ?? 'base';
    reader.readEnumeration();
    const sizeLimit = reader.readInt() ?? 0;
    reader.readInt();
    reader.readBoolean();
    const filter = readFilter(reader);
    reader.readSequence();
    const end = reader.offset + reader.length;
    const wanted: string[] = [];
    while (reader.offset < end) wanted.push((reader.readString() ?? '').toLowerCase());
    const page = readPagedResults(message);
    const done = (result: Result, nextPage?: string) =>
      resultMessage(id, ProtocolOperation.LDAP_RES_SEARCH, result, nextPage);

    if (base === undefined) return yield done({ code: RESULT.invalidDnSyntax });
    if (base.length === 0 && scope === 'base') {
      yield entryMessage(
        id,
        '',
        [...rootDse()].map(([name, values]) => [spelled(name), values]),
      );
      return yield done({ code: RESULT.success });
    }
    if (who === undefined) return yield done(NOT_BOUND);
    if (entries.find(base) === undefined) return yield done(missing(base));

    const found = entries.search(base, scope).filter((entry) => filter((name) => entry.attributes.get(name) ?? []));
    const from = Number(page?.cookie ?? 0);
    const limit = Math.min(page?.size || sizeLimit || MAX_PAGE_SIZE, MAX_PAGE_SIZE);
    for (const entry of found.slice(from, from + limit)) {
      yield entryMessage(id, textOf(entry.attributes, 'distinguishedname'), shown(entry, wanted, who));
    }
    // Active Directory refers every search of the whole domain to the other parts of the forest as well.
    if (scope === 'sub' && keyOf(base) === keyOf(domain)) {
      yield referenceMessage(id, `ldaps://${domainName()}/CN=Configuration,${DOMAIN}`);
    }
    const isCut = found.length > from + limit;
    if (page !== undefined) return yield done({ code: RESULT.success }, isCut ? String(from + limit) : '');
    yield done({ code: isCut ? RESULT.sizeLimitExceeded : RESULT.success });
  }

  function shown(entry: Entry, wanted: readonly string[], who: Holder): [string, Buffer[]][] {
    const all = new Map(entry.attributes);
    if (wanted.includes('allowedchildclasseseffective')) {
      all.set(
        'allowedchildclasseseffective',
        childClasses(entry, who).map((one) => Buffer.from(one)),
      );
    }
    const names = wanted.length === 0 || wanted.includes('*') ? [...all.keys()] : wanted;
    return names.flatMap((name): [string, Buffer[]][] => {
      const values = all.get(name) ?? [];
      return values.length === 0 ? [] : [[spelled(name), values]];
    });
  }

  function missing(dn: DistinguishedName): Result {
    if (!`,${keyOf(dn)}`.endsWith(`,${keyOf(domain)}`)) {
      return {
        code: RESULT.referral,
        message: '0000202B: RefErr: DSID-0310082F, data 0, 1 access points',
        referrals: ['ldaps://dc.elsewhere.example.com/'],
      };
    }
    return {
      code: RESULT.noSuchObject,
      matchedDn: textOf(entries.above(dn)?.attributes ?? new Map(), 'distinguishedname'),
      message: '0000208D: NameErr: DSID-03100241, problem 2001 (NO_OBJECT), data 0',
    };
  }

  const address = await listen(server, { host: options.host ?? '127.0.0.1', port: options.port ?? 0 });
  return {
    url: `ldaps://${authorityOf(address)}`,
    groups: () =>
      entries
        .search(domain, 'sub')
        .filter(({ attributes }) => attributes.get('objectclass')?.some((one) => one.toString() === 'group'))
        .map(({ attributes }) => textOf(attributes, 'distinguishedname')),
    close: async () => {
      if (!server.listening) return;
      server.close();
      for (const connection of connections) connection.destroy();
      await once(server, 'close');
    },
  };
}

function rootDse(): Attributes {
  return attributesOf({
    defaultNamingContext: DOMAIN,
    rootDomainNamingContext: DOMAIN,
    namingContexts: [DOMAIN],
    dnsHostName: `dc1.${domainName()}`,
    supportedLDAPVersion: '3',
  });
}

function domainName(): string {
  return parseDn(DOMAIN)
    .map(({ value }) => value)
    .join('.');
}

function spelled(name: string): string {
  return SPELLINGS.get(name) ?? name;
}

function dnOrUndefined(text: string): DistinguishedName | undefined {
  try {
    return parseDn(text);
  } catch {
    return undefined;
  }
}

/** A TLS proxy in front of a directory that records what clients send and injects faults. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import tls from 'node:tls';
import { ProtocolOperation } from 'ldapts';
import type { Certificate } from '../../dev/servers/certificates.ts';
import { freePort } from '../../dev/servers/ports.ts';
import { readMessages, resultMessage, type Message, type Result } from '../../dev/simulated-directory/messages.ts';

const OPERATIONS = {
  [ProtocolOperation.LDAP_REQ_BIND]: 'bind',
  [ProtocolOperation.LDAP_REQ_SEARCH]: 'search',
  [ProtocolOperation.LDAP_REQ_ADD]: 'add',
  [ProtocolOperation.LDAP_REQ_UNBIND]: 'unbind',
} as const;
type Operation = (typeof OPERATIONS)[keyof typeof OPERATIONS] | 'other';

/** The operation of a result is the request's plus one, except for a search. */
const ANSWERS: Partial<Record<Operation, number>> = {
  bind: ProtocolOperation.LDAP_RES_BIND,
  search: ProtocolOperation.LDAP_RES_SEARCH,
  add: ProtocolOperation.LDAP_RES_ADD,
};

export type LdapFault =
  /** Closes the connection; the directory has not received the message. */
  | 'cut-before'
  /** Forwards the message and closes the connection instead of answering: it took effect. */
  | 'cut'
  /** Forwards the message and never answers: it took effect. */
  | 'silence'
  /** Forwards the message once the next add was answered. */
  | 'late'
  /** Answers instead of the directory. */
  | Result;

export interface LdapFront {
  /** `ldaps://…` */
  url: string;
  /** The messages of clients, in order. */
  sent: { operation: Operation; bytes: Buffer; fault: LdapFault | undefined }[];
  count(operation: Operation): number;
  /** Decides the fault of each message; `undefined` forwards it. */
  decide: (operation: Operation) => LdapFault | undefined | Promise<LdapFault | undefined>;
  /** The number of late adds that the directory has answered. */
  lateAnswers: number;
  /** Closes every connection and the port: new connections are refused until {@link open}. */
  close(): Promise<void>;
  /** Listens on the same port again. */
  open(): Promise<void>;
  stop(): Promise<void>;
}

/** @param target `ldaps://…` of the directory */
export async function startLdapFront(target: string, certificate: Certificate): Promise<LdapFront> {
  const { hostname, port: targetPort } = new URL(target);
  const port = await freePort();
  const connections = new Set<Socket>();
  let late: (() => void)[] = [];
  const front: LdapFront = {
    url: `ldaps://127.0.0.1:${port}`,
    sent: [],
    count: (operation) => front.sent.filter((one) => one.operation === operation).length,
    decide: () => undefined,
    lateAnswers: 0,
    close: async () => {
      if (!server.listening) return;
      server.close();
      for (const connection of connections) connection.destroy();
      await once(server, 'close');
    },
    open: async () => {
      if (server.listening) return;
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
    },
    stop: () => front.close(),
  };
  const server = tls.createServer({ ...certificate, noDelay: true }, (client) => {
    const behind = tls.connect({ host: hostname, port: Number(targetPort), rejectUnauthorized: false });
    behind.setNoDelay();
    // The messages whose answers are not forwarded.
    const unanswered = new Map<number, 'cut' | 'silence' | 'late'>();
    for (const socket of [client, behind]) {
      connections.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => connections.delete(socket));
    }
    client.on('close', () => {
      if (![...unanswered.values()].includes('late')) behind.destroy();
    });
    behind.on('close', () => client.destroy());
    const onMessages = async (from: Socket, each: (message: Message) => unknown) => {
      for await (const message of readMessages(from)) await each(message);
    };
    onMessages(client, async ({ id, operation: tag, bytes }) => {
      const operation = OPERATIONS[tag as keyof typeof OPERATIONS] ?? 'other';
      const sent = { operation, bytes, fault: undefined as LdapFault | undefined };
      front.sent.push(sent);
      sent.fault = await front.decide(operation);
      const { fault } = sent;
      if (fault === 'cut-before') return client.destroy();
      if (typeof fault === 'object') return client.write(resultMessage(id, ANSWERS[operation] ?? 0, fault));
      if (fault !== undefined) unanswered.set(id, fault);
      if (fault !== 'late') return behind.write(bytes);
      late.push(() => behind.write(bytes));
      return undefined;
    }).catch(() => client.destroy());
    onMessages(behind, ({ id, operation, bytes }) => {
      const fault = unanswered.get(id);
      if (fault === undefined) client.write(bytes);
      if (fault === undefined && operation === ANSWERS.add) {
        for (const pass of late) pass();
        late = [];
      }
      if (fault === 'cut') client.destroy();
      if (fault !== 'late') return;
      front.lateAnswers += 1;
      behind.end();
    }).catch(() => client.destroy());
  });
  server.on('tlsClientError', () => {});
  await front.open();
  return front;
}

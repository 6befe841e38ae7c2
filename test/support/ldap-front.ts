/** A TLS front before a directory: records what clients send, and comes between as told. */
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

/** A result's operation is one more than its request's, but for a search's. */
const ANSWERS: Partial<Record<Operation, number>> = {
  bind: ProtocolOperation.LDAP_RES_BIND,
  search: ProtocolOperation.LDAP_RES_SEARCH,
  add: ProtocolOperation.LDAP_RES_ADD,
};

export type LdapFault =
  /** Breaks the connection; the directory has not seen it. */
  | 'cut-before'
  /** Passes it on, and breaks the connection in place of the answer: it took effect. */
  | 'cut'
  /** Passes it on and never answers: it took effect. */
  | 'silence'
  /** Passes it on once the next add was answered. */
  | 'late'
  /** Answers in the directory's place. */
  | Result;

export interface LdapFront {
  /** `ldaps://…` */
  url: string;
  /** What clients sent, in order. */
  sent: { operation: Operation; bytes: Buffer; fault: LdapFault | undefined }[];
  /** How often an operation was sent. */
  count(operation: Operation): number;
  /** Decides what becomes of each message; `undefined` passes it on. */
  decide: (operation: Operation) => LdapFault | undefined | Promise<LdapFault | undefined>;
  /** How many adds that were to be late the directory has answered. */
  lateAnswers: number;
  /** Ends every connection and closes the port: new ones are refused until {@link open}. */
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
    // Of messages whose answers are not passed on.
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

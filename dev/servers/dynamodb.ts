import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import dynalite from 'dynalite';
import { startDynamoDbLocal } from './dynamodb-local.ts';
import { freePort, isPortFree } from './ports.ts';

/** Java starts slowly on a busy machine. */
const START_TIMEOUT_MS = 120_000;
const POLL_MS = 50;
const KINDS = ['dynalite', 'dynamodb-local'] as const;

export type DynamoDbKind = (typeof KINDS)[number];

export interface DynamoDb {
  /** For `AWS_ENDPOINT_URL_DYNAMODB`; it accepts any region and credentials. */
  endpoint: string;
  kind: DynamoDbKind;
  stop(): Promise<void>;
}

/**
 * Starts a DynamoDB with no tables, in memory; resolves once it answers.
 *
 * @param options.port by default a free one
 * @param options.kind by default that in the variable `DYNAMODB`, else `dynalite`, which runs in this process
 */
export async function startDynamoDb(options: { port?: number; kind?: DynamoDbKind } = {}): Promise<DynamoDb> {
  const kind = options.kind ?? kindFromEnvironment();
  // Otherwise another server on that port would answer first, since Java takes long to report that the port is taken.
  if (options.port !== undefined && !(await isPortFree(options.port))) {
    throw new Error(`port ${options.port} of 127.0.0.1 is taken`);
  }
  const port = options.port ?? (await freePort());
  const server = await (kind === 'dynalite' ? startDynalite(port) : startLocal(port));
  const endpoint = `http://127.0.0.1:${port}`;
  try {
    await untilReady(endpoint, server.failure);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { endpoint, kind, stop: server.stop };
}

function kindFromEnvironment(): DynamoDbKind {
  const value = process.env['DYNAMODB'] || 'dynalite';
  const kind = KINDS.find((known) => known === value);
  if (kind === undefined) throw new Error(`DYNAMODB is "${value}"; it may be ${KINDS.join(' or ')}`);
  return kind;
}

interface Started {
  stop(): Promise<void>;
  /** Returns why the server will never answer, once that is known. */
  failure(): string | undefined;
}

async function startDynalite(port: number): Promise<Started> {
  const server = dynalite({ createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  let stopped: Promise<void> | undefined;
  const close = () =>
    new Promise<void>((resolve, reject) => {
      server.close((error) => (error ? reject(error) : resolve()));
      // Otherwise close() waits for the clients' keep-alive connections, which nobody closes.
      server.closeAllConnections();
    });
  return { stop: () => (stopped ??= close()), failure: () => undefined };
}

async function startLocal(port: number): Promise<Started> {
  const child = await startDynamoDbLocal(port);
  return {
    stop: child.stop,
    failure: () => (child.hasExited() ? `DynamoDB Local ended at start:\n${child.output().trim()}` : undefined),
  };
}

async function untilReady(endpoint: string, failure: () => string | undefined): Promise<void> {
  const client = new DynamoDBClient({
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    maxAttempts: 1,
  });
  const giveUpAt = performance.now() + START_TIMEOUT_MS;
  try {
    for (;;) {
      try {
        await client.send(new ListTablesCommand({}), { requestTimeout: 5_000 });
        return;
      } catch (error) {
        const reason = failure();
        if (reason !== undefined) throw new Error(reason, { cause: error });
        if (performance.now() > giveUpAt) {
          throw new Error(`${endpoint} did not answer within ${START_TIMEOUT_MS / 1_000} s`, { cause: error });
        }
        await delay(POLL_MS);
      }
    }
  } finally {
    client.destroy();
  }
}

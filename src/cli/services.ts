/** The two services that the command line talks to, opened only when a command needs them. */
import { Client, Connection, isGrpcServiceError, ServiceError } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { CLIENT_SETTINGS, encryptionOf, readSettings, type Environment } from '../config.ts';
import { createDataConverter } from '../encryption/data-converter.ts';
import { openRecordTables } from '../records/dynamodb.ts';
import type { RecordTables } from '../records/items.ts';
import { checkSurroundings } from '../surroundings.ts';
import type { ClientTraces } from '../tracing/client.ts';
import { readTracing } from '../tracing/settings.ts';
import type { PayloadReader } from './build-history.ts';
import { CliError } from './errors.ts';
import { GRPC_STATUS } from './grpc.ts';
import { whoAmI } from './who.ts';

const CONNECT_TIMEOUT_MS = 5_000;
/** Temporal's client waits for ever by default. */
const CALL_TIMEOUT_MS = 10_000;

/** A collector that does not answer holds up the end for so long. */
const LAST_SPANS_MS = 1_000;

const LOOK_AT_SETTINGS = 'role-build config shows the address in force and where it comes from';

export interface Services {
  taskQueue: string;
  namespace: string;
  tables: RecordTables;
  client: Client;
  connection: Connection;
  /** A run's page in the Web UI; `undefined` where `TEMPORAL_UI_URL` does not say where that is. */
  uiUrl(workflowId: string, runId?: string): string | undefined;
  /** Reads the payloads in a workflow's history. */
  payloadsOf(workflowId: string): PayloadReader;
  /** Runs a call of Temporal within a time limit. @throws CliError `unreachable` where no answer comes */
  temporal<T>(call: () => Promise<T>): Promise<T>;
  /** Runs a call of DynamoDB. @throws CliError `unreachable` where it fails */
  dynamoDb<T>(call: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/**
 * @param note tells the user of what is no fault of the command's
 * @throws CliError where Temporal can't be reached; @throws SettingsError
 */
export async function openServices(env: Environment, note: (text: string) => void): Promise<Services> {
  const settings = readSettings(env, CLIENT_SETTINGS);
  checkSurroundings(env, (warning) => note(`role-build: ${warning}`));
  const { connectionOptions, namespace = 'default' } = loadClientConnectConfig();
  const address = connectionOptions.address ?? '127.0.0.1:7233';
  let connection: Connection;
  try {
    connection = await Connection.connect({
      ...connectionOptions,
      connectTimeout: CONNECT_TIMEOUT_MS,
      // Else gRPC would take `https_proxy` and `http_proxy` too, which the worker does not.
      channelArgs: { 'grpc.enable_http_proxy': env['grpc_proxy'] ? 1 : 0 },
    });
  } catch (err) {
    throw new CliError('unreachable', `Temporal can't be reached at ${address}: ${grpcMessage(err)}`, {
      cause: err,
      hint: LOOK_AT_SETTINGS,
    });
  }
  const dataConverter = createDataConverter(encryptionOf(settings), namespace);
  const tables = openRecordTables({ statusTable: settings.STATUS_TABLE, historyTable: settings.HISTORY_TABLE });
  let traces: Promise<ClientTraces | undefined> | undefined;
  // Only a start makes a span, so nothing else waits for OpenTelemetry to load.
  const startWithDetails: ClientTraces['startWithDetails'] = async (input, next) => {
    const opened = await (traces ??= openTraces(env, (text) => note(`role-build: ${text}`)));
    return opened === undefined ? next(input) : opened.startWithDetails(input, next);
  };
  const interceptors = { workflow: [{ startWithDetails }] };
  const client = new Client({ connection, namespace, identity: whoAmI(), dataConverter, interceptors });
  return {
    taskQueue: settings.ROLE_BUILD_TASK_QUEUE,
    namespace,
    tables,
    client,
    connection,
    uiUrl: (workflowId, runId) => webUiPage(settings.TEMPORAL_UI_URL, namespace, workflowId, runId),
    payloadsOf: (workflowId) => ({
      converter: client.options.loadedDataConverter,
      context: { type: 'workflow', namespace, workflowId },
    }),
    async temporal(call) {
      try {
        return await connection.withDeadline(Date.now() + CALL_TIMEOUT_MS, call);
      } catch (err) {
        throw temporalError(err, address, namespace) ?? err;
      }
    },
    async dynamoDb(call) {
      try {
        return await call();
      } catch (err) {
        throw err instanceof CliError ? err : dynamoDbError(err);
      }
    },
    async close() {
      tables.client.destroy();
      await connection.close();
      await (await traces)?.close(LAST_SPANS_MS);
    },
  };
}

async function openTraces(env: Environment, warn: (text: string) => void): Promise<ClientTraces | undefined> {
  const tracing = readTracing(env, warn);
  if (tracing === undefined) return undefined;
  const { traceClient } = await import('../tracing/client.ts');
  return traceClient({ tracing, warn, onFault: (reason) => warn(`spans could not be sent: ${reason}`) });
}

function webUiPage(base: string | undefined, namespace: string, workflowId: string, runId = ''): string | undefined {
  if (base === undefined) return undefined;
  const path = ['namespaces', namespace, 'workflows', workflowId, runId].filter((part) => part !== '');
  return `${base}/${path.map(encodeURIComponent).join('/')}`;
}

function temporalError(err: unknown, address: string, namespace: string): CliError | undefined {
  const grpc = err instanceof ServiceError ? err.cause : err;
  if (!isGrpcServiceError(grpc)) return undefined;
  switch (grpc.code as number) {
    case GRPC_STATUS.DEADLINE_EXCEEDED:
    case GRPC_STATUS.UNAVAILABLE:
      return new CliError('unreachable', `Temporal at ${address} does not answer: ${grpc.details}`, {
        cause: err,
        hint: LOOK_AT_SETTINGS,
      });
    case GRPC_STATUS.PERMISSION_DENIED:
    case GRPC_STATUS.UNAUTHENTICATED:
      return new CliError('unreachable', `Temporal at ${address} refuses us: ${grpc.details}`, {
        cause: err,
        hint: 'look at TEMPORAL_API_KEY, TLS and TEMPORAL_NAMESPACE: role-build config',
      });
    case GRPC_STATUS.NOT_FOUND:
      return /namespace/i.test(grpc.details)
        ? new CliError('unreachable', `Temporal at ${address} has no namespace "${namespace}"`, {
            cause: err,
            hint: LOOK_AT_SETTINGS,
          })
        : undefined;
    case GRPC_STATUS.INVALID_ARGUMENT:
      return /search attribute/i.test(grpc.details)
        ? new CliError('unreachable', `Temporal at ${address} is not set up (${grpc.details})`, {
            cause: err,
            hint: 'role-build setup',
          })
        : new CliError('usage', `Temporal refuses it: ${grpc.details}`, { cause: err });
    default:
      return err instanceof ServiceError
        ? new CliError('unreachable', `Temporal at ${address} did not do it: ${grpc.details}`, { cause: err })
        : undefined;
  }
}

function dynamoDbError(err: unknown): CliError {
  const { name, message } = err as Error;
  return new CliError('unreachable', `DynamoDB did not do what was asked: ${name}: ${message}`, {
    cause: err,
    hint: name === 'ResourceNotFoundException' ? 'role-build setup' : LOOK_AT_SETTINGS,
  });
}

/** What the server said, where it said something; the SDK wraps it. */
function grpcMessage(err: unknown): string {
  const grpc = err instanceof ServiceError ? err.cause : err;
  return isGrpcServiceError(grpc) ? grpc.details : (err as Error).message;
}

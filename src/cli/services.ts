/** Temporal and DynamoDB for the command line, opened only when a command needs them. */
import { Client, Connection } from '@temporalio/client';
import { loadDataConverter } from '@temporalio/common/lib/internal-non-workflow/index.js';
import { CLIENT_SETTINGS, encryptionOf, readBoth, readSettings, type Environment } from '../config/settings.ts';
import { createDataConverter } from '../encryption/data-converter.ts';
import { openRecordTables } from '../records/dynamodb.ts';
import { checkSurroundings } from '../config/surroundings.ts';
import { loadTemporalConfig } from '../config/temporal.ts';
import type { ClientTraces } from '../tracing/client.ts';
import { LOOK_AT_SETTINGS } from './errors/aws.ts';
import { readTracing } from '../config/tracing.ts';
import { CliError } from './errors/cli-error.ts';
import { grpcErrorOf } from '../domain/grpc.ts';
import { serviceError, type Called } from './errors/service.ts';
import { whoAmI } from './input/who.ts';
import { leavingOutUnreadable, payloadReader, tolerant } from './temporal/payloads.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const MESSAGE_MAX_BYTES = 512 * 2 ** 20;
/** By default, Temporal's client waits forever. The server ends a long poll within 20 s, even if nothing happened. */
const CALL_TIMEOUT_MS = 30_000;

/** How long a command waits at its end for a collector that does not answer. */
const LAST_SPANS_MS = 1_000;

export type Services = Awaited<ReturnType<typeof openServices>>;

/**
 * @param note tells the user about ignored settings, and about spans that could not be sent
 * @param interrupted aborted by Ctrl-C
 * @throws CliError if Temporal can't be reached; @throws SettingsError
 */
export async function openServices(env: Environment, note: (text: string) => void, interrupted: AbortSignal) {
  checkSurroundings(env, (warning) => note(`role-build: ${warning}`));
  const [settings, { connectionOptions, namespace = 'default' }] = readBoth(
    () => readSettings(env, CLIENT_SETTINGS),
    () => loadTemporalConfig(env),
  );
  const address = connectionOptions.address ?? '127.0.0.1:7233';
  const called = { service: 'Temporal', address, namespace } as const;
  let connection: Connection;
  try {
    connection = await Connection.connect({
      ...connectionOptions,
      connectTimeout: CONNECT_TIMEOUT_MS,
      // Otherwise gRPC would also use `https_proxy` and `http_proxy`, which the worker does not.
      channelArgs: {
        'grpc.enable_http_proxy': env['grpc_proxy'] ? 1 : 0,
        // A page of a list has the memo of each execution, up to 2 MiB. gRPC's default is 4 MiB for the whole page.
        'grpc.max_receive_message_length': MESSAGE_MAX_BYTES,
      },
    });
  } catch (err) {
    throw cannotConnect(err, called);
  }
  const dataConverter = tolerant(loadDataConverter(createDataConverter(encryptionOf(settings), namespace)));
  const lenient = leavingOutUnreadable(dataConverter);
  const tables = openRecordTables({ statusTable: settings.STATUS_TABLE, historyTable: settings.HISTORY_TABLE });
  let traces: Promise<ClientTraces | undefined> | undefined;
  // Only a start makes a span, so other commands don't load OpenTelemetry.
  const startWithDetails: ClientTraces['startWithDetails'] = async (input, next) => {
    const opened = await (traces ??= openTraces(env, (text) => note(`role-build: ${text}`)));
    return opened === undefined ? next(input) : opened.startWithDetails(input, next);
  };
  const interceptors = { workflow: [{ startWithDetails }] };
  // The client itself decodes only memos, which may be those of other clients' workflows.
  const client = new Client({ connection, namespace, identity: whoAmI(), dataConverter: lenient, interceptors });
  return {
    taskQueue: settings.ROLE_BUILD_TASK_QUEUE,
    namespace,
    tables,
    client,
    connection,
    note,
    /** Aborted by Ctrl-C. */
    signal: interrupted,
    /** Returns a run's page in the Web UI; `undefined` if `TEMPORAL_UI_URL` is not set. */
    uiUrl: (workflowId: string, runId: string) => {
      const path = ['namespaces', namespace, 'workflows', workflowId, runId].map(encodeURIComponent).join('/');
      return settings.TEMPORAL_UI_URL && `${settings.TEMPORAL_UI_URL}/${path}`;
    },
    /** Reads the payloads in a workflow's events; each read may throw PayloadUnreadableError. */
    payloadsOf: (workflowId: string) => payloadReader(dataConverter, namespace, workflowId),
    /** The same, but a payload that can't be read is `undefined`. */
    readablePayloadsOf: (workflowId: string) => payloadReader(lenient, namespace, workflowId),
    /**
     * Calls Temporal, for at most 30 s.
     *
     * @throws CliError if it can't be reached or refuses; any other error unchanged
     */
    async temporal<T>(call: () => Promise<T>, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<T> {
      const abortable = signal === undefined ? call : () => connection.withAbortSignal(signal, call);
      try {
        return await connection.withDeadline(Date.now() + CALL_TIMEOUT_MS, abortable);
      } catch (err) {
        throw serviceError(err, called) ?? err;
      }
    },
    /** Calls DynamoDB. @throws CliError if it can't be reached or refuses; any other error unchanged */
    async dynamoDb<T>(call: () => Promise<T>): Promise<T> {
      try {
        return await call();
      } catch (err) {
        throw serviceError(err, { service: 'DynamoDB' }) ?? err;
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

/** Passes on what the server says; if it said nothing, the address may be wrong. */
function cannotConnect(cause: unknown, called: Called & { service: 'Temporal' }): CliError {
  const grpc = grpcErrorOf(cause);
  const said = grpc === undefined ? undefined : serviceError(cause, called);
  if (said?.transient === false) return said;
  // gRPC quotes a value that can't be a header, which may be the API key.
  const why = grpc?.details ?? (cause as Error).message.replace(/"[^]*"/, '…');
  const message = `Temporal can't be reached at ${called.address}: ${why}`;
  return new CliError('unreachable', message, { cause, hint: LOOK_AT_SETTINGS });
}

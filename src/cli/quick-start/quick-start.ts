/**
 * Starts a build with one bare gRPC call. Temporal's client takes several times as long to load as this takes in all; it is
 * left to whatever is not a plain start, and to every refusal, which it knows how to explain.
 */
import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { Environment } from '../../config.ts';
import { workflowIdOf } from '../../contract.ts';
import type { RoleBuildInput } from '../../domain/role-build-input.ts';
import type { Started } from '../print-started.ts';
import { whoAmI } from '../who.ts';
import { call, openSession, type GrpcEndpoint } from './grpc-call.ts';
import { decodeRunId, encodeStartRequest } from './start-request.ts';

const METHOD = '/temporal.api.workflowservice.v1.WorkflowService/StartWorkflowExecution';
/** What takes longer is left to Temporal's client and its patience. */
const TIMEOUT_MS = 3_000;

/** Whom gRPC trusts, and with what ciphers, where they are set. */
const GRPC_TLS_VARIABLES = ['GRPC_DEFAULT_SSL_ROOTS_FILE_PATH', 'GRPC_SSL_CIPHER_SUITES'];

/**
 * @param input checked already; it is sent as it stands, never encrypted
 * @param requestId the same one that Temporal's client is given afterwards, so that a start whose answer was lost is no second one
 * @returns `undefined` where it did not work out, for whatever reason
 */
export async function startQuickly(
  env: Environment,
  taskQueue: string,
  input: RoleBuildInput,
  requestId: string,
): Promise<Started | undefined> {
  const config = loadClientConnectConfig();
  const endpoint = endpointOf(env, config);
  if (endpoint === undefined) return undefined;
  const { namespace = 'default' } = config;
  const request = encodeStartRequest({ input, namespace, taskQueue, identity: whoAmI(), requestId });
  let job_id: string;
  try {
    const session = await openSession(endpoint, TIMEOUT_MS);
    try {
      job_id = decodeRunId(await call(session, endpoint, METHOD, request, TIMEOUT_MS));
    } finally {
      session.destroy();
    }
  } catch {
    // Temporal's client tries again, and says what is wrong.
    return undefined;
  }
  return {
    workflow_id: workflowIdOf(input.build_body.account_id, input.ddb_composite_sort_key),
    job_id,
    correlation_id: input.correlation_id,
    status: 'IN_PROGRESS',
  };
}

type ConnectConfig = ReturnType<typeof loadClientConnectConfig>;

/** @returns `undefined` where something is asked for that only Temporal's client knows how to do */
export function endpointOf(
  env: Environment,
  { connectionOptions, namespace = 'default' }: ConnectConfig,
): GrpcEndpoint | undefined {
  const { address = '127.0.0.1:7233', apiKey, metadata, tls: givenTls, ...others } = connectionOptions;
  // As the client: with a key, TLS unless it is told otherwise.
  const tls = givenTls ?? apiKey !== undefined;
  if (tls && GRPC_TLS_VARIABLES.some((name) => env[name])) return undefined;
  if (!/^([\w.-]+|\[[\da-f:]+\]):\d+$/i.test(address)) return undefined;
  if (env['grpc_proxy']) return undefined;
  if (Object.values(others).some((value) => value !== undefined)) return undefined;
  if (metadata !== undefined && Object.values(metadata).some((value) => typeof value !== 'string')) return undefined;
  // Two credentials at once, which the client refuses.
  if (apiKey && Object.keys(metadata ?? {}).some((name) => /^authorization$/i.test(name))) return undefined;
  const secure = typeof tls === 'object' ? tls : {};
  const { serverNameOverride, serverRootCACertificate: ca, clientCertPair: pair, ...otherTls } = secure;
  if (Object.values(otherTls).some((value) => value !== undefined)) return undefined;
  return {
    url: `${tls ? 'https' : 'http'}://${address}`,
    tls: {
      ...(ca === undefined ? {} : { ca: Buffer.from(ca) }),
      ...(pair === undefined ? {} : { cert: Buffer.from(pair.crt), key: Buffer.from(pair.key) }),
      ...(serverNameOverride === undefined ? {} : { servername: serverNameOverride }),
    },
    metadata: {
      ...(metadata as Record<string, string> | undefined),
      'temporal-namespace': namespace,
      ...(typeof apiKey === 'string' && apiKey !== '' ? { authorization: `Bearer ${apiKey}` } : {}),
      ...(serverNameOverride === undefined ? {} : { ':authority': serverNameOverride }),
    },
  };
}

/** Runs the pods of the overlay `local`: each is a process of this checkout, or a server of the development stack. */
import { fileURLToPath } from 'node:url';
import { environmentOf } from '../../../../dev/stack.ts';
import { startChild } from '../../../../dev/servers/child.ts';
import { startDynamoDb } from '../../../../dev/servers/dynamodb.ts';
import { startTemporalServer } from '../../../../dev/servers/temporal-server.ts';
import { createSimulatedBuildApi } from '../../../../dev/simulated-build-api/server.ts';

const CHECKOUT = fileURLToPath(new URL('../../../..', import.meta.url));
const PROBE_TIMEOUT_MS = 3_000;
/** The grace period of a worker. */
const GRACE_MS = 90_000;

/** The ports on 127.0.0.1 of the servers that stand in for pods. */
export interface ServerPorts {
  temporal: number;
  dynamoDb: number;
  buildApi: number;
}

export interface Container {
  image: string;
  command?: string[];
  env?: { name: string; value?: string }[];
  envFrom?: { configMapRef?: { name: string }; secretRef?: { name: string } }[];
  readinessProbe?: { httpGet?: { path: string; port: string | number } };
  ports?: { name: string; containerPort: number }[];
}

export interface Running {
  isReady(): Promise<boolean>;
  /** Set once it has ended. */
  exitCode: number | null | undefined;
  output(): string;
  stop(): Promise<void>;
}

/**
 * @param env its variables, including those of ConfigMaps and Secrets
 * @param ip the pod's loopback address
 */
export async function runContainer(
  container: Container,
  env: Record<string, string>,
  ip: string,
  ports: ServerPorts,
): Promise<Running> {
  const [image = ''] = container.image.split(':');
  const server = serverOf(image, ports);
  if (server === undefined) return runProgram(container, env, ip);
  const { stop } = await server;
  return { isReady: async () => true, exitCode: undefined, output: () => '', stop };
}

function serverOf(image: string, ports: ServerPorts): Promise<{ stop(): Promise<void> }> | undefined {
  switch (image) {
    case 'temporalio/temporal': {
      const dynamicConfig = { 'system.forceSearchAttributesCacheRefreshOnRead': true };
      return startTemporalServer({ port: ports.temporal, uiPort: false, dynamicConfig });
    }
    case 'amazon/dynamodb-local':
      return startDynamoDb({ port: ports.dynamoDb });
    case 'simulated-build-api': {
      const api = createSimulatedBuildApi();
      return api.listen(ports.buildApi).then(() => ({ stop: api.close }));
    }
    default:
      return undefined;
  }
}

async function runProgram(container: Container, env: Record<string, string>, ip: string): Promise<Running> {
  const { command = [], readinessProbe, ports = [] } = container;
  const listens = ['HEALTH_ADDRESS', 'METRICS_ADDRESS', 'CODEC_SERVER_ADDRESS'].filter((name) => name in env);
  const atItsAddress = Object.fromEntries(listens.map((name) => [name, env[name]?.replace(/^[^:]+/, ip) ?? '']));
  const child = await startChild(process.execPath, command.slice(1), {
    cwd: CHECKOUT,
    env: environmentOf({ ...env, ...atItsAddress }),
    stopTimeoutMs: GRACE_MS,
  });
  const { httpGet } = readinessProbe ?? {};
  const port = ports.find(({ name }) => name === httpGet?.port)?.containerPort;
  const running: Running = {
    exitCode: undefined,
    output: child.output,
    stop: child.stop,
    // There is no stand-in for exec, so a program with an exec probe counts as ready while it runs.
    isReady: async () => {
      if (httpGet === undefined) return true;
      const signal = AbortSignal.timeout(PROBE_TIMEOUT_MS);
      return fetch(`http://${ip}:${port}${httpGet.path}`, { signal }).then(
        async (answer) => (await answer.text(), answer.ok),
        () => false,
      );
    },
  };
  void child.exited.then((code) => (running.exitCode = code));
  return running;
}

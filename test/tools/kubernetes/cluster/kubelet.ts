/** Stands in for scheduler and kubelet: binds pods to one node, runs them as processes, and reports their status. */
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Certificate } from '../../../../dev/servers/certificates.ts';
import { runContainer, type Container, type Running, type ServerPorts } from './pods.ts';

const NODE = 'node';
const LOOK_EVERY_MS = 500;
/** How long a container that ended waits for its restart. */
const RESTART_MS = 2_000;

interface Pod {
  metadata: { name: string; namespace: string; deletionTimestamp?: string };
  spec: { nodeName?: string; restartPolicy: string; containers: [Container & { name: string }] };
  status: { startTime?: string };
}

/** A pod of the node, as far as this stand-in knows it. */
interface Known {
  ip: string;
  running?: Running;
  restarts: number;
  /** Epoch milliseconds. */
  restartAt?: number;
  stopping?: Promise<unknown>;
  /** The status last reported. */
  told?: string;
  readySince?: string;
  output: string;
}

/** @param api Kubernetes' API over plain HTTP @param certificate of the server that `kubectl logs` calls */
export async function startKubelet(
  api: string,
  certificate: Certificate,
  ports: ServerPorts,
): Promise<{ stop(): Promise<void> }> {
  const pods = new Map<string, Known>();
  let addresses = 0;

  const logs = createServer(certificate, (req, res) => {
    const [, , namespace, name] = (req.url ?? '').split(/[/?]/);
    const pod = pods.get(`${namespace}/${name}`);
    res.writeHead(pod === undefined ? 404 : 200).end(pod === undefined ? 'no such container' : outputOf(pod));
  }).listen(0, '127.0.0.1');
  await once(logs, 'listening');

  const ask = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const answer = await fetch(`${api}${path}`, {
      method,
      headers: { 'content-type': type },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    // The object has changed or is gone; the next look sees that.
    if (answer.status === 404 || answer.status === 409) return undefined;
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return JSON.parse(text) as unknown;
  };

  await ask('POST', '/api/v1/nodes', { metadata: { name: NODE } });
  await ask('PATCH', `/api/v1/nodes/${NODE}/status`, {
    status: {
      addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
      daemonEndpoints: { kubeletEndpoint: { Port: (logs.address() as AddressInfo).port } },
      conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: '' }],
    },
  });

  async function look(): Promise<void> {
    const { items } = (await ask('GET', '/api/v1/pods')) as { items: Pod[] };
    await Promise.all(items.map(care));
    const present = new Set(items.map(keyOf));
    for (const [key, known] of pods) {
      if (present.has(key)) continue;
      await known.running?.stop();
      pods.delete(key);
    }
  }

  async function care(pod: Pod): Promise<void> {
    const path = `/api/v1/namespaces/${pod.metadata.namespace}/pods/${pod.metadata.name}`;
    if (pod.spec.nodeName === undefined) {
      const target = { kind: 'Node', name: NODE };
      await ask('POST', `${path}/binding`, { metadata: { name: pod.metadata.name }, target });
      return;
    }
    let known = pods.get(keyOf(pod));
    if (known === undefined) {
      addresses += 1;
      known = { ip: `127.7.${addresses >> 8}.${addresses & 255}`, restarts: 0, output: '' };
      pods.set(keyOf(pod), known);
    }
    if (pod.metadata.deletionTimestamp === undefined) return tell(path, pod, known, await stateOf(pod, known));
    const again = () => delete known.stopping;
    known.stopping ??= remove(path, known).catch(again);
  }

  async function remove(path: string, { running }: Known): Promise<void> {
    await running?.stop();
    await ask('DELETE', `${path}?gracePeriodSeconds=0`);
  }

  /** Starts the pod's container if possible, and restarts one that ended against its restart policy. */
  async function stateOf(pod: Pod, known: Known): Promise<State> {
    const { running } = known;
    if (running === undefined) {
      if (Date.now() < (known.restartAt ?? 0)) return { waiting: { reason: 'CrashLoopBackOff' } };
      const env = await variablesOf(pod);
      if (typeof env === 'string') return { waiting: { reason: 'CreateContainerConfigError', message: env } };
      known.running = await runContainer(pod.spec.containers[0], env, known.ip, ports);
      return { running: {} };
    }
    const { exitCode } = running;
    if (exitCode === undefined) return { running: {}, isReady: await running.isReady() };
    if (pod.spec.restartPolicy === 'Never') return { terminated: { exitCode: exitCode ?? 137 } };
    known.output = outputOf(known);
    known.restarts += 1;
    known.restartAt = Date.now() + RESTART_MS;
    delete known.running;
    return { waiting: { reason: 'CrashLoopBackOff' } };
  }

  /** @returns all variables, or a message about what is missing */
  async function variablesOf({ metadata: { namespace }, spec }: Pod): Promise<Record<string, string> | string> {
    const [{ env = [], envFrom = [] }] = spec.containers;
    const variables: Record<string, string> = {};
    for (const { configMapRef, secretRef } of envFrom) {
      const [kind, name] = configMapRef === undefined ? ['secret', secretRef?.name] : ['configmap', configMapRef.name];
      const found = (await ask('GET', `/api/v1/namespaces/${namespace}/${kind}s/${name}`)) as
        { data?: object } | undefined;
      if (found === undefined) return `${kind} "${name}" not found`;
      for (const [key, value] of Object.entries(found.data ?? {})) {
        variables[key] = kind === 'secret' ? Buffer.from(value as string, 'base64').toString() : (value as string);
      }
    }
    for (const { name, value = '' } of env) variables[name] = value;
    return variables;
  }

  async function tell(path: string, pod: Pod, known: Known, { isReady = false, ...state }: State): Promise<void> {
    const phase = phaseOf(state);
    const told = JSON.stringify([phase, state, isReady, known.restarts]);
    if (told === known.told) return;
    const now = new Date().toISOString();
    if (!isReady) delete known.readySince;
    else known.readySince ??= now;
    const [{ name, image }] = pod.spec.containers;
    const conditions = ['Ready', 'ContainersReady'].map((type) => {
      return { type, status: isReady ? 'True' : 'False', lastTransitionTime: known.readySince ?? now };
    });
    const of = { name, image, imageID: image, ready: isReady, started: isReady, restartCount: known.restarts, state };
    await ask('PATCH', `${path}/status`, {
      status: { phase, conditions, containerStatuses: [of], podIP: known.ip, startTime: pod.status.startTime ?? now },
    });
    known.told = told;
  }

  const stopped = new AbortController();
  const looking = (async () => {
    while (!stopped.signal.aborted) {
      // The API server may be busy, or a pod may be gone.
      await look().catch((err: unknown) =>
        process.stderr.write(`stand-in for the kubelet: ${(err as Error).message}\n`),
      );
      await delay(LOOK_EVERY_MS);
    }
  })();
  return {
    async stop() {
      stopped.abort();
      await looking;
      await Promise.all([...pods.values()].map(async ({ running }) => running?.stop()));
      logs.close();
    },
  };
}

interface State {
  waiting?: { reason: string; message?: string };
  running?: object;
  terminated?: { exitCode: number };
  isReady?: boolean;
}

/** https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase */
function phaseOf({ running, terminated }: State): string {
  if (terminated !== undefined) return terminated.exitCode === 0 ? 'Succeeded' : 'Failed';
  return running === undefined ? 'Pending' : 'Running';
}

function keyOf({ metadata }: Pod): string {
  return `${metadata.namespace}/${metadata.name}`;
}

function outputOf({ output, running }: Known): string {
  return output + (running?.output() ?? '');
}

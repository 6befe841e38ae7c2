/** Reads the current state of a cluster. */
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../../../support/until.ts';

const LOOK_EVERY_MS = 200;
const GIVE_UP_MS = 600_000;

interface Pod {
  metadata: { name: string; deletionTimestamp?: string };
  status: {
    podIP?: string;
    conditions?: { type: string; status: string }[];
    containerStatuses?: { restartCount: number; state?: { waiting?: { reason: string } } }[];
  };
}

interface WorkerDeployment {
  spec: { rollout: { strategy: string } };
  status?: {
    currentVersion?: { buildID: string };
    targetVersion?: { buildID: string; rampPercentage?: number };
  };
}

interface Deployment {
  metadata: { name: string; labels: Record<string, string>; generation: number };
  spec: {
    replicas: number;
    minReadySeconds?: number;
    progressDeadlineSeconds: number;
    strategy: { rollingUpdate?: object };
    template: { spec: { containers: [{ image: string }] } };
  };
  status: { replicas?: number; readyReplicas?: number; updatedReplicas?: number; observedGeneration: number };
}

interface Job {
  status: { conditions?: { type: string; reason: string }[] };
}

/** Waits until a condition holds. @throws after ten minutes */
export async function untilSo(what: string, isSo: () => Promise<boolean>): Promise<void> {
  await until(what, () => delay(LOOK_EVERY_MS).then(isSo), GIVE_UP_MS);
}

/** Returns the lowest count seen while `work` ran. */
export async function lowestDuring(count: () => Promise<number>, work: () => Promise<unknown>): Promise<number> {
  let lowest = Infinity;
  const done = new AbortController();
  const looking = (async () => {
    while (!done.signal.aborted) {
      lowest = Math.min(lowest, await count());
      await delay(LOOK_EVERY_MS);
    }
  })();
  await work().finally(() => done.abort());
  await looking;
  return lowest;
}

/** @param api Kubernetes' API over plain HTTP @returns functions that read the namespace of the manifests */
export function looksAt(api: string) {
  const core = '/api/v1/namespaces/iam-orchestrator';
  const get = async <T>(path: string): Promise<T | undefined> => {
    const answer = await fetch(`${api}${path}`);
    const body = (await answer.json()) as T;
    if (answer.status === 404) return undefined;
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${JSON.stringify(body)}`);
    return body;
  };
  const list = async <T>(path: string): Promise<T[]> => (await get<{ items: T[] }>(path))?.items ?? [];
  const pods = async (name: string, selector = ''): Promise<Pod[]> => {
    const labels = encodeURIComponent(`app.kubernetes.io/name=${name}${selector}`);
    const all = await list<Pod>(`${core}/pods?labelSelector=${labels}`);
    return all.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  };
  const deployments = () => list<Deployment>('/apis/apps/v1/namespaces/iam-orchestrator/deployments');
  const workerDeployment = () =>
    get<WorkerDeployment>('/apis/temporal.io/v1alpha1/namespaces/iam-orchestrator/workerdeployments/worker');
  const workers = async (selector?: string): Promise<number> =>
    (await pods('worker', selector)).filter(({ status }) =>
      status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'),
    ).length;
  return {
    pods,
    workerDeployment,
    /** Ready workers. */
    workers: () => workers(),
    /** Ready workers of the plain Deployment. */
    plainWorkers: () => workers(',!temporal.io/build-id'),
    workersOf: (version: string) => workers(`,temporal.io/build-id=${version}`),
    /** Pods whose container can't be created. */
    waiting: async () =>
      (await list<Pod>(`${core}/pods`)).filter(
        ({ status }) => status.containerStatuses?.[0]?.state?.waiting?.reason === 'CreateContainerConfigError',
      ).length,
    /** The status code of each worker's readiness probe; 0 without an answer. */
    readiness: async () =>
      Promise.all(
        (await pods('worker')).map(({ status: { podIP } }) =>
          fetch(`http://${podIP}:8080/readyz`).then(
            (answer) => answer.status,
            () => 0,
          ),
        ),
      ),
    /** The condition with which set-up ended. */
    endOfSetup: async () =>
      (await get<Job>('/apis/batch/v1/namespaces/iam-orchestrator/jobs/setup'))?.status.conditions?.find(
        ({ type }) => type === 'Failed' || type === 'Complete',
      )?.reason,
    secret: async (name: string, key: string) => {
      const secret = await get<{ data: Record<string, string> }>(`${core}/secrets/${name}`);
      return Buffer.from(secret?.data[key] ?? '', 'base64').toString();
    },
    configMaps: async () => (await list<Pod>(`${core}/configmaps`)).map(({ metadata }) => metadata.name),
    hasNamespace: async () => (await get(core)) !== undefined,
    deployment: async () => (await deployments()).find(({ metadata }) => metadata.name === 'worker'),
    /** The Deployments of the Worker Controller, one for each version. */
    versions: async () =>
      (await deployments()).filter(({ metadata }) => metadata.labels['temporal.io/deployment-name'] === 'worker'),
    /** The version on which new builds start, according to the controller. */
    current: async () => (await workerDeployment())?.status?.currentVersion?.buildID,
  };
}

export function buildIdOf({ metadata }: Deployment): string {
  return metadata.labels['temporal.io/build-id'] ?? '';
}

export function imageOf(deployment: Deployment | undefined): string | undefined {
  return deployment?.spec.template.spec.containers[0].image;
}

/** Whether all its pods are ready and have its current template. */
export function isRolledOut({ metadata, spec, status }: Deployment): boolean {
  const numbers = [status.replicas ?? 0, status.updatedReplicas ?? 0, status.readyReplicas ?? 0];
  return status.observedGeneration === metadata.generation && numbers.every((number) => number === spec.replicas);
}

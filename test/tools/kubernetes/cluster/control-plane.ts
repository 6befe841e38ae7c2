/** A cluster on loopback: etcd, Kubernetes' control plane, the Worker Controller's manager and a stand-in for the kubelet. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { createAuthority } from '../../../../dev/servers/certificates.ts';
import { startChild } from '../../../../dev/servers/child.ts';
import { freePort, isPortFree } from '../../../../dev/servers/ports.ts';
import { findTemporalCli } from '../../../../dev/servers/temporal-binaries.ts';
import { environmentOf } from '../../../../dev/stack.ts';
import { until } from '../../../support/until.ts';
import { KEDA, moduleFolder, WORKER_CONTROLLER } from '../schemas.ts';
import { startKubelet } from './kubelet.ts';
import type { ServerPorts } from './pods.ts';
import { findPrograms } from './programs.ts';

const run = promisify(execFile);
const START_MS = 120_000;
/** The Worker Controller's fixed port. */
const WEBHOOK_PORT = 9443;

export interface Cluster {
  /** The environment of kubectl and of Temporal's command line. */
  env: Record<string, string>;
  /** The URL of Kubernetes' API over plain HTTP. */
  api: string;
  /** A folder that is deleted with the cluster. */
  folder: string;
  stop(): Promise<void>;
}

/**
 * @param kubernetes its version
 * @param ports of the servers that the overlay `local` runs as pods
 * @throws if a program is missing or does not start
 */
export async function startCluster(kubernetes: string, ports: ServerPorts): Promise<Cluster> {
  const programs = await findPrograms(kubernetes);
  if (!(await isPortFree(WEBHOOK_PORT))) throw new Error(`port ${WEBHOOK_PORT} of 127.0.0.1 is taken`);
  const folder = await mkdtemp(join(tmpdir(), 'cluster-'));
  const started: { stop(): Promise<void> }[] = [];
  const stop = async () => {
    for (const one of started.toReversed()) await one.stop();
    await rm(folder, { recursive: true, force: true });
  };
  /** @returns a function that waits until the program answers */
  const start = async (command: string, args: string, settings: Record<string, string> = {}) => {
    const child = await startChild(command, args.trim().split(/\s+/), { cwd: folder, env: environmentOf(settings) });
    started.push(child);
    return (ask: () => Promise<unknown>) =>
      until(
        `${command} answers`,
        async () => {
          if (child.hasExited()) throw new Error(`${command} ended at its start:\n${child.output()}`);
          return succeeds(ask());
        },
        START_MS,
      );
  };

  const etcd = `http://127.0.0.1:${await freePort()}`;
  const peer = `http://127.0.0.1:${await freePort()}`;
  const server = `https://127.0.0.1:${await freePort()}`;
  const api = `http://127.0.0.1:${await freePort()}`;
  const probe = `127.0.0.1:${await freePort()}`;
  const certificate = createAuthority('cluster').issue('127.0.0.1', ['127.0.0.1']);
  const token = randomUUID();
  const kubectl = {
    KUBECONFIG: join(folder, 'kubeconfig'),
    PATH: [dirname(await findTemporalCli()), process.env['PATH']].join(delimiter),
    TEMPORAL_ADDRESS: `127.0.0.1:${ports.temporal}`,
  };
  const env = environmentOf(kubectl);
  const webhooks = join(folder, 'k8s-webhook-server', 'serving-certs');
  try {
    await mkdir(webhooks, { recursive: true });
    for (const place of [folder, webhooks]) {
      await writeFile(join(place, 'tls.crt'), certificate.cert);
      await writeFile(join(place, 'tls.key'), certificate.key);
    }
    await writeFile(join(folder, 'tokens'), `${token},admin,1,"system:masters"\n`);
    await writeFile(kubectl.KUBECONFIG, kubeconfigOf(server, token));

    await start(
      programs.etcd,
      `--data-dir=etcd --unsafe-no-fsync --log-level=error
       --listen-client-urls=${etcd} --advertise-client-urls=${etcd}
       --listen-peer-urls=${peer} --initial-advertise-peer-urls=${peer} --initial-cluster=default=${peer}`,
    );
    const apiServer = await start(
      programs.apiServer,
      `--etcd-servers=${etcd} --bind-address=127.0.0.1 --secure-port=${new URL(server).port}
       --tls-cert-file=tls.crt --tls-private-key-file=tls.key --token-auth-file=tokens --authorization-mode=RBAC
       --service-account-issuer=https://kubernetes.default.svc --service-account-key-file=tls.crt
       --service-account-signing-key-file=tls.key --service-cluster-ip-range=10.0.0.0/24
       --endpoint-reconciler-type=none --kubelet-preferred-address-types=InternalIP`,
    );
    await apiServer(() => run('kubectl', ['get', '--raw', '/readyz'], { env }));
    // Without the node lifecycle controller, since nothing renews the node's lease as a kubelet does.
    await start(
      programs.controllerManager,
      `--kubeconfig=kubeconfig --leader-elect=false --secure-port=0 --service-account-private-key-file=tls.key
       --controllers=*,-node-lifecycle-controller`,
    );
    const proxy = await start('kubectl', `proxy --port=${new URL(api).port}`, kubectl);
    await proxy(() => fetch(`${api}/version`));

    const charts = join(await moduleFolder(WORKER_CONTROLLER), 'helm/temporal-worker-controller-crds/templates');
    const kedas = join(await moduleFolder(KEDA), 'config/crd/bases/keda.sh_scaledobjects.yaml');
    await run('kubectl', ['apply', '--server-side', '-f', charts, '-f', kedas], { env });
    const established = ['wait', '--for=condition=Established', 'customresourcedefinitions', '--all'];
    await until('custom resources are known', () => succeeds(run('kubectl', established, { env })));
    await run('kubectl', ['create', 'namespace', 'temporal-system'], { env });
    const manager = await start(
      programs.workerController,
      `--metrics-bind-address=0 --health-probe-bind-address=${probe}`,
      {
        KUBECONFIG: kubectl.KUBECONFIG,
        // The controller keeps the certificates of its webhooks below it.
        TMPDIR: folder,
        POD_NAMESPACE: 'temporal-system',
        CONTROLLER_IDENTITY: 'temporal-worker-controller/temporal-system',
        ALLOWED_KINDS: 'HorizontalPodAutoscaler',
      },
    );
    await manager(() => fetch(`http://${probe}/readyz`));
    started.push(await startKubelet(api, certificate, ports));
    return { env, api, folder, stop };
  } catch (err) {
    await stop();
    throw err;
  }
}

async function succeeds(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  );
}

function kubeconfigOf(server: string, token: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'cluster',
    clusters: [{ name: 'cluster', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'admin', user: { token } }],
    contexts: [{ name: 'cluster', context: { cluster: 'cluster', user: 'admin' } }],
  });
}

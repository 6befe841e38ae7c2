/** The types of the parts of Kubernetes' objects that the tests read. */
import assert from 'node:assert/strict';

export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  spec?: unknown;
  data?: Record<string, string>;
  automountServiceAccountToken?: boolean;
}

export interface Probe {
  httpGet?: { path: string; port: string | number };
  tcpSocket?: { port: string | number };
  exec?: { command: string[] };
}

export interface Container {
  name: string;
  image: string;
  command?: string[];
  args?: string[];
  env?: { name: string; value?: string }[];
  envFrom?: { configMapRef?: { name: string }; secretRef?: { name: string; optional?: boolean } }[];
  ports?: { name: string; containerPort: number }[];
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
  startupProbe?: Probe;
  livenessProbe?: Probe;
  readinessProbe?: Probe;
  securityContext?: Record<string, unknown>;
  volumeMounts?: { name: string; mountPath: string; readOnly?: boolean }[];
}

export interface PodSpec {
  serviceAccountName?: string;
  automountServiceAccountToken?: boolean;
  enableServiceLinks?: boolean;
  terminationGracePeriodSeconds?: number;
  topologySpreadConstraints?: { topologyKey: string; labelSelector: { matchLabels: Record<string, string> } }[];
  securityContext?: Record<string, unknown>;
  containers: Container[];
  initContainers?: Container[];
  volumes?: Record<string, unknown>[];
  hostNetwork?: boolean;
}

export interface PodTemplate {
  metadata: { labels: Record<string, string> };
  spec: PodSpec;
}

export interface Peer {
  podSelector?: { matchLabels?: Record<string, string> };
  namespaceSelector?: { matchLabels?: Record<string, string> };
  ipBlock?: { cidr: string; except?: string[] };
}

export interface NetworkRule {
  from?: Peer[];
  to?: Peer[];
  ports?: { protocol: string; port: string | number }[];
}

export interface NetworkPolicySpec {
  podSelector: { matchLabels?: Record<string, string> };
  policyTypes: string[];
  ingress?: NetworkRule[];
  egress?: NetworkRule[];
}

export interface ServiceSpec {
  selector: Record<string, string>;
  ports: { name: string; port: number; targetPort: string | number }[];
}

/** The `spec` of each kind that the tests read. */
interface Specs {
  ConfigMap: undefined;
  Connection: { hostPort: string };
  Deployment: { replicas?: number; strategy?: { type?: string; rollingUpdate?: object } };
  Namespace: undefined;
  NetworkPolicy: NetworkPolicySpec;
  PodDisruptionBudget: { selector: { matchLabels: Record<string, string> } };
  ScaledObject: {
    scaleTargetRef: { name: string };
    minReplicaCount: number;
    triggers: { type: string; metadata: Record<string, string> }[];
  };
  Secret: undefined;
  Service: ServiceSpec;
  ServiceAccount: undefined;
  WorkerDeployment: { rollout: object; workerOptions: { temporalNamespace: string } };
}

export function ofKind<K extends keyof Specs>(
  objects: readonly KubernetesObject[],
  kind: K,
): (Omit<KubernetesObject, 'spec'> & { spec: Specs[K] })[] {
  return objects.filter((one) => one.kind === kind) as (Omit<KubernetesObject, 'spec'> & { spec: Specs[K] })[];
}

/** Returns the pod templates with the kind and name of their objects. */
export function podTemplates(objects: readonly KubernetesObject[]): { kind: string; name: string; pod: PodTemplate }[] {
  return objects
    .filter(({ kind }) => ['Deployment', 'Job', 'WorkerDeployment'].includes(kind))
    .map(({ kind, metadata, spec }) => ({
      kind,
      name: metadata.name,
      pod: (spec as { template: PodTemplate }).template,
    }));
}

export function podOf(objects: readonly KubernetesObject[], name: string): PodTemplate {
  const found = podTemplates(objects).find((one) => one.name === name);
  assert.ok(found, `nothing makes pods named ${name}`);
  return found.pod;
}

export function containerOf(pod: PodTemplate): Container {
  assert.equal(pod.spec.containers.length, 1);
  return pod.spec.containers[0] as Container;
}

export function isSelected(selector: Record<string, string> = {}, pod: PodTemplate): boolean {
  return Object.entries(selector).every(([name, value]) => pod.metadata.labels[name] === value);
}

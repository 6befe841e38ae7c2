/** The variants that users render: each overlay alone and with components. */
import type { Overlay } from './render.ts';

export interface Variant {
  title: string;
  overlay: Overlay;
  components?: readonly string[];
}

const OF_PRODUCTION = [
  [],
  ['setup', 'keda', 'temporal-api-key'],
  ['setup', 'keda', 'opentelemetry', 'temporal-api-key'],
  ['setup', 'keda', 'temporal-mtls', 'keda-mtls'],
  ['setup', 'temporal-mtls'],
  ['setup', 'worker-controller'],
  ['setup', 'worker-controller', 'opentelemetry'],
  ['setup', 'worker-controller', 'temporal-api-key'],
  ['setup', 'worker-controller', 'temporal-mtls'],
  ['setup', 'keda', 'directory', 'temporal-api-key'],
  ['setup', 'worker-controller', 'directory', 'temporal-mtls'],
  ['setup', 'keda', 'prometheus-operator', 'temporal-api-key'],
  ['setup', 'worker-controller', 'prometheus-operator', 'temporal-mtls'],
];
const OF_LOCAL = [
  ['setup', 'keda'],
  ['setup', 'opentelemetry'],
  ['setup', 'worker-controller'],
  ['prometheus-operator'],
];

const variantsOf = (overlay: Overlay, lists: readonly (readonly string[])[]): Variant[] =>
  lists.map((components) => ({
    title: `${overlay} with ${components.length === 0 ? 'no component' : components.join(', ')}`,
    overlay,
    components,
  }));

export const VARIANTS: readonly Variant[] = [
  { title: 'production', overlay: 'production' },
  ...variantsOf('production', OF_PRODUCTION),
  { title: 'local', overlay: 'local' },
  ...variantsOf('local', OF_LOCAL),
];

/** The Deployments and the Job that run our programs; the others are only for a local cluster. */
export const OUR_PROGRAMS: readonly string[] = ['worker', 'codec-server', 'setup'];

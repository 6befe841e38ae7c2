/** Every figure, in the order in which they are measured and shown. */
import { batch } from './batch.ts';
import { clientStart } from './client-start.ts';
import { events } from './events.ts';
import type { Figure } from './figure.ts';
import { herd } from './herd.ts';
import { inFlight } from './in-flight.ts';
import { longBuild } from './long-build.ts';
import { memory } from './memory.ts';
import { mostPolls } from './most-polls.ts';
import { pollCost } from './poll-cost.ts';
import { ready } from './ready.ts';
import { recovery } from './recovery.ts';
import { throughput } from './throughput.ts';

export const FIGURES: readonly Figure[] = [
  events,
  throughput,
  pollCost,
  mostPolls,
  inFlight,
  memory,
  ready,
  clientStart,
  batch,
  recovery,
  longBuild,
  herd,
];

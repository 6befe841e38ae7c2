/** A build of very many polls: how large the histories of its runs get, and whether replay time grows linearly. */
import { readFileSync } from 'node:fs';
import { encodeSearchAttributeIndexedValueType } from '@temporalio/common/lib/search-attributes.js';
import type { temporal } from '@temporalio/proto';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { findTimeSkippingServer } from '../../dev/servers/temporal-binaries.ts';
import type { OwnWorkflowActivities, RoleBuildActivities } from '../../src/activities/types.ts';
import {
  DEFAULT_TASK_QUEUE,
  ROLE_BUILD_WORKFLOW_TYPE,
  searchAttributes,
  triggersQueueOf,
  workflowIdOf,
} from '../../src/contract.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { quantile } from '../measure/statistics.ts';
import type { Figure, Row, Run } from './figure.ts';

const BUNDLE = new URL('../../dist/workflow-bundle.js', import.meta.url);
/** Poll counts of the builds whose replay is timed; the last needs a second run. */
const REPLAYED_POLLS = [80, 160, 320, 640] as const;
const REPLAYS = 5;
const THIRTY_DAYS_OF_MINUTES = 43_200;
const QUICK_POLLS = 1_500;
const LARGEST_HISTORY = 4_200;

const ignore = { fn: () => undefined };
const SINKS = { metrics: { count: ignore, observe: ignore } };

type History = temporal.api.history.v1.IHistory;

export const longBuild: Figure = {
  name: 'long-build',
  title: 'A build of many polls',
  fullOnly: true,
  async measure(run) {
    const polls = run.quick ? QUICK_POLLS : THIRTY_DAYS_OF_MINUTES;
    Runtime.install({ logger: new DefaultLogger('ERROR'), shutdownSignals: [] });
    const executable = { type: 'existing-path', path: await findTimeSkippingServer() } as const;
    const environment = await TestWorkflowEnvironment.createTimeSkipping({ server: { executable } });
    try {
      await registerSearchAttributes(environment);
      return await measureOn(environment, run, polls);
    } finally {
      await environment.teardown();
    }
  },
};

async function measureOn(environment: TestWorkflowEnvironment, { progress }: Run, polls: number) {
  const workflowBundle = { code: readFileSync(BUNDLE, 'utf8') };
  const activities = { ...pretendedActivities() };
  const worker = await Worker.create({
    connection: environment.nativeConnection,
    taskQueue: DEFAULT_TASK_QUEUE,
    workflowBundle,
    activities,
    sinks: SINKS,
  });
  const triggers = await Worker.create({
    connection: environment.nativeConnection,
    taskQueue: triggersQueueOf(DEFAULT_TASK_QUEUE),
    activities,
  });
  const triggersRun = triggers.run();
  const runs = await worker.runUntil(async () => {
    progress(`builds of ${[...REPLAYED_POLLS, polls].join(', ')} polls, on a server that skips the waits`);
    const found: History[][] = [];
    // One after another: at the same time, each would slow down the others.
    for (const each of [...REPLAYED_POLLS, polls]) found.push(await historiesOf(environment, each));
    return found;
  });
  triggers.shutdown();
  await triggersRun;
  const largest = Math.max(...runs.flat().map(({ events }) => events?.length ?? 0));

  const replayed = runs.slice(0, REPLAYED_POLLS.length).flatMap(([first]) => (first === undefined ? [] : [first]));
  const points: [events: number, ms: number][] = [];
  for (const history of replayed) {
    progress(`replaying ${history.events?.length} events`);
    points.push([history.events?.length ?? NaN, await replayMs(workflowBundle, history)]);
  }
  const perEvent = points.map(([events, ms]) => (ms * 1000) / events);
  const history: Row = {
    what: `largest history of a run, of a build of ${polls} polls`,
    unit: 'events',
    values: { roleBuild: [largest] },
    atMost: LARGEST_HISTORY,
  };
  const longest: Row = {
    what: `replay an event, ${points.at(-1)?.[0]} events against ${points[1]?.[0]}`,
    unit: 'µs',
    values: { roleBuild: [perEvent.at(-1) ?? NaN], shorter: [perEvent[1] ?? NaN] },
  };
  const lines = { roleBuild: points };
  return {
    rows: [history, longest],
    curves: [{ name: 'replay', title: 'Time to replay a history', x: 'events', y: 'ms', lines }],
    notes: [
      `On Temporal's time-skipping server, with steps that do nothing; a replay's time is the median of ${REPLAYS}.`,
    ],
  };
}

async function historiesOf({ client }: TestWorkflowEnvironment, polls: number): Promise<History[]> {
  const input = inputOf(polls);
  const workflowId = workflowIdOf(input.build_body.account_id, input.ddb_composite_sort_key);
  const handle = await client.workflow.start(ROLE_BUILD_WORKFLOW_TYPE, {
    workflowId,
    taskQueue: DEFAULT_TASK_QUEUE,
    args: [input],
  });
  await handle.result();
  const found: History[] = [];
  let runId: string | undefined = handle.firstExecutionRunId;
  while (runId !== undefined) {
    const history: History = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    found.push(history);
    runId = history.events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId ?? undefined;
  }
  return found;
}

async function replayMs(workflowBundle: { code: string }, history: History): Promise<number> {
  const times: number[] = [];
  const workflowId = history.events?.[0]?.workflowExecutionStartedEventAttributes?.workflowId ?? '';
  const again = Array.from({ length: REPLAYS }, () => ({ workflowId, history }));
  let begun: number | undefined;
  // The first replay also starts the worker.
  for await (const { error } of Worker.runReplayHistories({ workflowBundle, sinks: SINKS }, [
    ...again.slice(0, 1),
    ...again,
  ])) {
    if (error !== undefined) throw error;
    if (begun !== undefined) times.push(performance.now() - begun);
    begun = performance.now();
  }
  return quantile(times, 0.5);
}

/** Activities that take no time. A build is decided at the poll whose number is in its request ID. */
function pretendedActivities(): Partial<RoleBuildActivities & OwnWorkflowActivities> {
  const polls = new Map<string, number>();
  return {
    upsertRequestRecord: async () => null,
    insertRequestHistory: async () => null,
    triggerBuild: async () => ({ build_id: 'b' }),
    getBuildStatus: async ({ correlation_id: id }) => {
      const made = (polls.get(id) ?? 0) + 1;
      polls.set(id, made);
      return made < Number(id)
        ? { can_retry: true, build_status: 'IN_PROGRESS' }
        : { can_retry: false, build_status: 'SUCCEEDED' };
    },
    checkCarriedInput: async () => [],
    updateSuccessfulRecord: async () => null,
    updateSuccessfulHistory: async () => null,
  };
}

function inputOf(polls: number): RoleBuildInput {
  return {
    build_body: {
      account_id: '123456789012',
      build_type: 'iam_role',
      action: 'create',
      custom_role_name: 'long',
      dry_run: false,
    },
    ddb_composite_sort_key: `iam_role#long-${polls}`,
    correlation_id: String(polls),
    trace_header: 'Root=1-67891233-abcdef012345678912345678',
    url: 'https://api.example.com',
    encrypted_jwt: 'example-ciphertext-not-a-credential',
  };
}

async function registerSearchAttributes({ connection }: TestWorkflowEnvironment): Promise<void> {
  const types = Object.values(searchAttributes).map(({ name, type }) => [
    name,
    encodeSearchAttributeIndexedValueType(type) as temporal.api.enums.v1.IndexedValueType,
  ]);
  await connection.operatorService.addSearchAttributes({
    namespace: 'default',
    searchAttributes: Object.fromEntries(types) as Record<string, temporal.api.enums.v1.IndexedValueType>,
  });
}

/**
 * The costs of a build that are counts, and so the same on every machine. A change that raises one makes every build
 * more expensive; a change that lowers one should adapt it here.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger } from '@temporalio/worker';
import { startTemporal, startWorker, untilReady } from '../../bench/measure/contenders.ts';
import { inputsFor, startSurroundings, type Surroundings } from '../../bench/measure/surroundings.ts';
import type { Child } from '../../dev/servers/child.ts';
import type { TemporalServer } from '../../dev/servers/temporal-server.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { startRoleBuild } from '../../src/start-role-build.ts';
import { bundleWorkflows } from '../../src/worker/bundle.ts';

describe('a build of 2 polls, by the real worker', () => {
  let at: Surroundings;
  let temporal: TemporalServer;
  let worker: Child;
  let client: Client;

  before(async () => {
    at = await startSurroundings();
    temporal = await startTemporal();
    const settings = {
      TEMPORAL_ADDRESS: temporal.address,
      HEALTH_ADDRESS: '127.0.0.1:0',
      METRICS_ADDRESS: '127.0.0.1:0',
    };
    worker = await startWorker('../../src/worker.ts', { ...at.settings, ...settings });
    await untilReady(worker);
    client = new Client({ connection: await Connection.connect({ address: temporal.address }) });
  });
  after(async () => {
    await client.connection.close();
    await worker.kill();
    await temporal.kill();
    await at.stop();
  });

  it('a build of 2 polls, by the real worker, has 49 events, 8 workflow tasks, 2 timers and 3 requests to the build API, and makes 4 writes and no read', async () => {
    const [input] = inputsFor(at, 1, { pollIntervalSeconds: 1, undecidedPolls: 1 }) as [RoleBuildInput];
    at.dynamoDbCalls.clear();
    const { workflow_id: workflowId } = await startRoleBuild(client, input);
    const handle = client.workflow.getHandle(workflowId);
    await handle.result();
    const { events = [] } = await handle.fetchHistory();
    const count = (name: string) => (events ?? []).filter((event) => event[name as keyof typeof event] != null).length;
    assert.deepEqual(
      {
        events: events?.length,
        workflowTasks: count('workflowTaskCompletedEventAttributes'),
        activities: count('activityTaskScheduledEventAttributes'),
        timers: count('timerStartedEventAttributes'),
        searchAttributes: count('upsertWorkflowSearchAttributesEventAttributes'),
        dynamoDb: Object.fromEntries(at.dynamoDbCalls),
        buildApi: at.buildApi.requests().map(({ method }) => method),
      },
      {
        events: 49,
        workflowTasks: 8,
        activities: 5,
        timers: 2,
        searchAttributes: 2,
        dynamoDb: { PutItem: 2, UpdateItem: 2 },
        buildApi: ['POST', 'GET', 'GET'],
      },
    );
  });
});

describe('what is loaded', () => {
  it('what is loaded for --help is 11 modules of ours and commander', async () => {
    const program = fileURLToPath(new URL('../../src/client.ts', import.meta.url));
    const printLoaded = `data:text/javascript,${encodeURIComponent(`
      import { registerHooks } from 'node:module';
      const urls = [];
      registerHooks({ load: (url, context, next) => (urls.push(url), next(url, context)) });
      process.on('exit', () => process.stderr.write(JSON.stringify(urls)));
    `)}`;
    const { stderr } = await promisify(execFile)(process.execPath, ['--import', printLoaded, program, '--help']);
    const loaded = JSON.parse(stderr) as string[];
    const packages = loaded.flatMap((url) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? []);
    assert.deepEqual([...new Set(packages)], ['commander']);
    assert.equal(loaded.filter((url) => url.includes('/src/')).length, 11, loaded.join('\n'));
  });

  it('what is loaded of workflow code is at most 670 KB and has 33 modules of ours', async () => {
    const code = await bundleWorkflows(new DefaultLogger('WARN'));
    const end = code.lastIndexOf('//# sourceMappingURL=');
    const base64 = code.slice(code.indexOf('base64,', end) + 'base64,'.length);
    const map = JSON.parse(Buffer.from(base64, 'base64').toString()) as { sources: string[] };
    const ours = map.sources.filter((source) => /\/src\/.*\.ts$/.test(source) && !source.includes('node_modules'));
    assert.equal(ours.length, 33, ours.join('\n'));
    assert.ok(end <= 670_000, `${end} bytes without the source map`);
  });
});

/** How many history events a build has, and how many calls of DynamoDB: counts, the same on every machine. */
import { Client, Connection } from '@temporalio/client';
import { startOnTemporal, startTemporal, untilReady } from '../measure/contenders.ts';
import { inputsFor, startSurroundings } from '../measure/surroundings.ts';
import { addTo, type Figure, type Row } from './figure.ts';
import { workflowIdOf } from '../../src/contract.ts';

const POLL_INTERVAL_SECONDS = 1;
const NAMES = ['roleBuild', 'plain'] as const;

export const events: Figure = {
  name: 'events',
  title: 'History and calls of a build',
  async measure({ progress }) {
    const at = await startSurroundings();
    const temporal = await startTemporal();
    const connection = await Connection.connect({ address: temporal.address });
    const client = new Client({ connection });
    const build: Row = { what: 'history events of a build of 2 polls', unit: 'events', values: {}, atMost: 50 };
    const poll: Row = { what: 'history events a poll', unit: 'events', values: {}, atMost: 6 };
    const tasks: Row = { what: 'workflow tasks of a build of 2 polls', unit: 'tasks', values: {} };
    const calls: Row = { what: 'DynamoDB calls a build', unit: 'calls', values: {} };
    for (const name of NAMES) {
      progress(name);
      const contender = await startOnTemporal(name, temporal, at);
      if (name === 'roleBuild') await untilReady(contender.worker);
      at.dynamoDbCalls.clear();
      const [two = NaN, four = NaN] = await Promise.all(
        [2, 4].map(async (polls) => {
          const inputs = inputsFor(at, 1, { pollIntervalSeconds: POLL_INTERVAL_SECONDS, undecidedPolls: polls - 1 });
          await contender.start(inputs);
          const { correlation_id: id, ddb_composite_sort_key: resource } = inputs[0] as (typeof inputs)[0];
          const workflowId = name === 'plain' ? `plain:${id}` : workflowIdOf('123456789012', resource);
          const handle = client.workflow.getHandle(workflowId);
          await handle.result().catch(() => undefined);
          const { events: all } = await handle.fetchHistory();
          if (polls === 2) {
            addTo(
              tasks,
              name,
              (all ?? []).filter(({ workflowTaskCompletedEventAttributes: done }) => done != null).length,
            );
          }
          return all?.length ?? NaN;
        }),
      );
      addTo(build, name, two);
      addTo(poll, name, (four - two) / 2);
      addTo(calls, name, totalOf(at.dynamoDbCalls) / 2);
      await contender.stop();
    }
    await connection.close();
    await temporal.kill();
    await at.stop();
    return { rows: [build, poll, tasks, calls], notes: ['Counts, which do not depend on the machine.'] };
  },
};

function totalOf(calls: ReadonlyMap<string, number>): number {
  return [...calls.values()].reduce((sum, one) => sum + one, 0);
}

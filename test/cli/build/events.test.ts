import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readEvents } from '../../../src/cli/build/events.ts';
import { CliError } from '../../../src/cli/errors/cli-error.ts';
import type { Services } from '../../../src/cli/services.ts';

describe('following a build', () => {
  it('following a build goes on through an outage of Temporal, and says once that there is one', async () => {
    const notes: string[] = [];
    let outages = 2;
    const history = { events: [{ eventId: 1 }, { eventId: 2, workflowExecutionCompletedEventAttributes: {} }] };
    const services = {
      client: { workflowService: { getWorkflowExecutionHistory: async () => ({ history }) } },
      namespace: 'default',
      note: (text: string) => notes.push(text),
      temporal: async (call: () => Promise<unknown>) => {
        if (outages-- > 0) throw new CliError('unreachable', 'Temporal does not answer', { transient: true });
        return call();
      },
    } as unknown as Services;
    const run = { workflowId: 'a build', runId: 'a run' };
    const events = await Array.fromAsync(readEvents(services, run, { follow: true }));
    assert.deepEqual(
      events.map(({ eventId }) => eventId),
      [1, 2],
    );
    assert.deepEqual(notes, ['role-build: Temporal does not answer; trying again for 10 min, the build goes on']);
  });
});

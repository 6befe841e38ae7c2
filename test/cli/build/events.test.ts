import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { patiently, readEvents } from '../../../src/cli/build/events.ts';
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

  it('following a build goes on after the process was stopped for longer than an outage may last', async (t) => {
    let nowMs = 0;
    t.mock.method(performance, 'now', () => nowMs);
    let calls = 0;
    const call = async () => {
      calls += 1;
      // The call under way has expired when the process continues.
      if (calls === 1) nowMs += 3_600_000;
      if (calls === 1) throw new CliError('unreachable', 'Temporal does not answer', { transient: true });
      return 'an answer';
    };
    assert.equal(await patiently(call, () => undefined, undefined), 'an answer');
    assert.equal(calls, 2);
  });
});

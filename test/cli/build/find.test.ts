import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { WorkflowNotFoundError } from '@temporalio/client';
import { findJobOnceListed } from '../../../src/cli/build/find.ts';
import type { Services } from '../../../src/cli/services.ts';

const WORKFLOW_ID = 'role-build:123456789012:iam_role#x';

/** The ID of a run that was started at that time. */
function runIdOf(startedMs: number): string {
  const hex = startedMs.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7b5f-9d4e-1d2f3a4b5c6d`;
}

/** Temporal with one run, which it lists from that query by run ID on. */
function temporalWith(runId: string, listedAtLook: number, signal?: AbortSignal) {
  const asked = { looks: 0 };
  const list = ({ query }: { query: string }) => {
    if (query.startsWith('RunId')) asked.looks += 1;
    const isListed = asked.looks >= listedAtLook;
    return isListed ? [{ workflowId: WORKFLOW_ID, runId }].values() : [].values();
  };
  const describeRun = async () => {
    if (asked.looks < listedAtLook) throw new WorkflowNotFoundError('none', WORKFLOW_ID, undefined);
    return { type: 'roleBuild', workflowId: WORKFLOW_ID, runId, raw: { workflowExecutionInfo: { firstRunId: runId } } };
  };
  const lists = (options: { query: string }) => ({
    [Symbol.asyncIterator]: () => {
      const found = list(options);
      return { next: async () => found.next() };
    },
  });
  const client = { workflow: { list: lists, getHandle: () => ({ describe: describeRun }) } };
  const services = { client, signal, temporal: <T>(call: () => Promise<T>) => call() } as unknown as Services;
  return { asked, services };
}

describe('a job that is named by its ID', () => {
  it('a job that is named by its ID is found the moment it was started, though Temporal lists it a little later', async () => {
    const runId = runIdOf(Date.now());
    const { asked, services } = temporalWith(runId, 3);
    const { execution } = await findJobOnceListed(services, runId);
    assert.equal(execution?.runId, runId);
    assert.equal(asked.looks, 3);
  });

  for (const [what, runId] of [
    ['was started long ago', runIdOf(Date.parse('2026-01-01T00:00:00.000Z'))],
    ['is said to be started far in the future', runIdOf(Date.parse('2126-01-01T00:00:00.000Z'))],
    ['does not say when it was started', '919108f7-52d1-4320-9bac-f847db4148a8'],
  ] as const) {
    it(`a job that is named by its ID is looked for once if it ${what}`, async () => {
      const { asked, services } = temporalWith(runId, Infinity);
      assert.deepEqual(await findJobOnceListed(services, runId), {});
      assert.equal(asked.looks, 1);
    });
  }

  it('a job that is named by its ID is looked for no longer after Ctrl-C', async () => {
    const runId = runIdOf(Date.now());
    const interrupt = new AbortController();
    const { services } = temporalWith(runId, Infinity, interrupt.signal);
    const found = findJobOnceListed(services, runId);
    interrupt.abort();
    await assert.rejects(found, { name: 'AbortError' });
  });
});

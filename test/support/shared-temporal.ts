/** One Temporal server for all test files of a run, with a namespace for each stack. */
import { randomUUID } from 'node:crypto';
import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { startTemporalServer, type TemporalServer } from '../../dev/servers/temporal-server.ts';
import { until } from './until.ts';

/** The variables with the server's address and Web UI, which global-setup.ts sets. */
export const ADDRESS_VARIABLE = 'ROLE_BUILD_TEST_TEMPORAL';
export const UI_VARIABLE = 'ROLE_BUILD_TEST_TEMPORAL_UI';

/** Otherwise a deletion first waits up to a minute for the next checkpoint of the queues. */
export const FORGETS_AT_ONCE = {
  'history.transferProcessorEnsureCloseBeforeDelete': false,
  'history.visibilityProcessorEnsureCloseBeforeDelete': false,
};

export function startSharedServer(): Promise<TemporalServer> {
  return startTemporalServer({ dynamicConfig: FORGETS_AT_ONCE });
}

/** Returns a new namespace of the shared server, or a new server if the test file is run alone. */
export async function temporalForTests(): Promise<TemporalServer> {
  const address = process.env[ADDRESS_VARIABLE];
  if (address === undefined) return startSharedServer();
  const namespace = `test-${randomUUID().slice(0, 8)}`;
  const connection = await Connection.connect({ address });
  try {
    const { workflowService } = connection;
    await workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod: msToTs('1 day') });
    await until('the namespace is there', () =>
      workflowService.describeNamespace({ namespace }).then(
        () => true,
        () => false,
      ),
    );
  } finally {
    await connection.close();
  }
  return {
    address,
    namespace,
    uiUrl: process.env[UI_VARIABLE],
    pid: 0,
    stop: async () => {},
    kill: () => Promise.reject(new Error('it is not for one stack to kill: start it with `temporal: {}`')),
    exited: new Promise(() => {}),
  };
}

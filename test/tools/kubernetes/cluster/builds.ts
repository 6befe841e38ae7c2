/** Starts builds that run while the cluster changes, and reads how Temporal routes them. */
import { Client, Connection } from '@temporalio/client';
import { startCli } from '../../../../dev/stack.ts';
import { untilSo } from './looks.ts';
import type { ServerPorts } from './pods.ts';

const POLL_SECONDS = 2;
const DEPLOYMENT = 'iam-orchestrator/worker';
export const ON_ANY_VERSION = `TemporalWorkerDeployment = '${DEPLOYMENT}'`;

export function onVersion(buildId = ''): string {
  return `TemporalWorkerDeploymentVersion = '${DEPLOYMENT}:${buildId}'`;
}

/** @param folder for reports @param keys returns the payload keys of the namespace */
export function buildsOn(ports: ServerPorts, folder: string, keys: () => Promise<string>) {
  const address = `127.0.0.1:${ports.temporal}`;
  const withTemporal = async <T>(ask: (connection: Connection) => Promise<T>): Promise<T> => {
    const connection = await Connection.connect({ address });
    try {
      return await ask(connection);
    } finally {
      await connection.close();
    }
  };
  /** Counts builds by the prefix of their role and a visibility query. */
  const count = async (prefix: string, query: string): Promise<number> =>
    withTemporal(async (connection) => {
      const { workflow } = new Client({ connection });
      return (await workflow.count(`Resource STARTS_WITH 'iam_role#${prefix}' AND ${query}`)).count;
    });
  return {
    address,
    count,
    /** Starts builds that each take the given seconds. */
    async start(prefix: string, number: number, seconds: number): Promise<void> {
      const lines = Array.from({ length: number }, (_, i) => {
        const role = { account_id: '123456789012', custom_role_name: `${prefix}-${i}`, dry_run: false };
        const simulate = { polls: Math.ceil(seconds / POLL_SECONDS) };
        return JSON.stringify({
          build_body: { ...role, build_type: 'iam_role', action: 'create', simulate },
          ddb_composite_sort_key: `iam_role#${prefix}-${i}`,
        });
      });
      const args = ['batch', '-', '--report', `${folder}/${prefix}.ndjson`, '--poll-spread-seconds', '0'];
      args.push('--poll-interval-seconds', String(POLL_SECONDS), '--url', `http://127.0.0.1:${ports.buildApi}`);
      const settings = {
        TEMPORAL_ADDRESS: address,
        ENCRYPTED_JWT: 'example-ciphertext-not-a-credential',
        ENCRYPTION_KEYS: await keys(),
        ENCRYPTION_REQUIRED: 'true',
        AWS_REGION: 'eu-west-1',
        AWS_ACCESS_KEY_ID: 'local',
        AWS_SECRET_ACCESS_KEY: 'local',
        AWS_ENDPOINT_URL_DYNAMODB: `http://127.0.0.1:${ports.dynamoDb}`,
      };
      const { code, stderr } = await startCli(args, settings, { stdin: lines.join('\n') }).result;
      if (code !== 0) throw new Error(`the builds did not start:\n${stderr}`);
    },
    /** Waits until the builds have ended. @throws if one did not succeed */
    async allEnd(prefix: string, number: number): Promise<void> {
      const ended = "CloseTime IS NOT NULL AND ExecutionStatus != 'ContinuedAsNew'";
      await untilSo(`builds ${prefix} end`, async () => (await count(prefix, ended)) === number);
      const succeeded = await count(prefix, "ExecutionStatus = 'Completed'");
      if (succeeded !== number) throw new Error(`${number - succeeded} of ${number} builds did not succeed`);
    },
    /** Returns the versions to which new builds are routed. */
    routing: async (): Promise<{ current?: string | undefined; ramping?: string | undefined }> =>
      withTemporal(async ({ workflowService }) => {
        const asked = { namespace: 'default', deploymentName: DEPLOYMENT };
        const { workerDeploymentInfo } = await workflowService.describeWorkerDeployment(asked);
        const { currentDeploymentVersion, rampingDeploymentVersion } = workerDeploymentInfo?.routingConfig ?? {};
        return {
          current: currentDeploymentVersion?.buildId ?? undefined,
          ramping: rampingDeploymentVersion?.buildId ?? undefined,
        };
      }),
  };
}

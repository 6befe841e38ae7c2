import { after, before, beforeEach } from 'node:test';
import type { SerializationContext } from '@temporalio/common';
import { setEnvironment } from '../support/environment.ts';
import { startKmsServer, type KmsServer } from './kms-server.ts';
import { codecWith } from './payloads.ts';

export const OLD = 'arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000001';
export const NEW = 'arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000002';
export const ELSEWHERE = 'arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000003';

export const contextOf = (workflowId: string, namespace = 'default') =>
  ({ type: 'workflow', namespace, workflowId }) satisfies SerializationContext;
export const HERE = contextOf('w');
export const codecOf = (...kmsKeyArns: string[]) => codecWith({ kmsKeyArns });

/** Starts AWS KMS with some keys for the tests of a file. Faults and requests are cleared before each test. */
export function kmsForTests(arns: readonly string[]): { server: KmsServer; asked: () => string[] } {
  let server: KmsServer;
  let restore: () => void;
  before(async () => {
    server = await startKmsServer(arns);
    restore = setEnvironment({
      AWS_ENDPOINT_URL_KMS: server.endpoint,
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
    });
  });
  after(async () => {
    restore();
    await server.stop();
  });
  beforeEach(() => {
    server.requests = [];
    server.fault = undefined;
  });
  return {
    get server() {
      return server;
    },
    /** Returns each operation since the last call, with the end of its key's ARN. */
    asked: () => server.requests.splice(0).map(({ operation, keyId }) => `${operation} ${keyId.at(-1)}`),
  };
}

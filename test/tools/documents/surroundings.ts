/** The environment of the documents' commands: a copied checkout, a stack with a worker, and other programs. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startDirectory, type DirectoryServer } from '../../../dev/servers/directory.ts';
import { findTemporalCli } from '../../../dev/servers/temporal-binaries.ts';
import type { Simulate } from '../../../dev/simulated-build-api/server.ts';
import type { RoleBuildInput } from '../../../src/domain/role-build-input.ts';
import { startKmsServer } from '../../encryption/kms-server.ts';
import { startOtlpReceiver, type OtlpReceiver } from '../../support/otlp-receiver.ts';
import { PROGRAMS } from '../../support/programs.ts';
import { ACCOUNT, inputFor, startTestStack, type TestStack } from '../../support/stack.ts';
import { CRYPTOGRAPHY, pythonPackages } from '../python-packages.ts';
import { copyCheckout, type Checkout } from './checkout.ts';

const AWS_CLI = 'awscli==1.46.3';
const KMS_KEY = 'arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000001';
const CREDENTIAL = 'example-ciphertext-not-a-credential';

export const ROLE = 'data-reader';
export const RESOURCE = `iam_role#${ROLE}`;

export interface Surroundings {
  stack: TestStack;
  checkout: Checkout;
  directory: DirectoryServer;
  collector: OtlpReceiver;
  put(file: string, content: string): Promise<void>;
  /** Makes the input of a new request for the documents' role. */
  request(simulate?: Simulate): RoleBuildInput;
  lastRequest(): string;
  start(simulate: Simulate, flags?: string[], settings?: Record<string, string>): Promise<void>;
  ended(): Promise<void>;
  stop(): Promise<void>;
}

/** @param makeKeys the command of docs/encryption.md that makes `keys.txt`, whose keys all programs then use */
export async function startSurroundings(makeKeys: string): Promise<Surroundings> {
  const [stack, directory, kms, collector] = await Promise.all([
    startTestStack({ settings: { ENCRYPTED_JWT: CREDENTIAL } }),
    startDirectory(),
    startKmsServer([KMS_KEY]),
    startOtlpReceiver(),
  ]);
  const checkout = await copyCheckout(stack.settings);
  const packages = await pythonPackages(AWS_CLI, CRYPTOGRAPHY);
  const { stdout: python } = await promisify(execFile)('bash', ['-c', 'command -v python3']);
  await checkout.addProgram('role-build', `'${process.execPath}' '${PROGRAMS.client}'`);
  await checkout.addProgram('temporal', `'${await findTemporalCli()}'`);
  await checkout.addProgram('python3', `env PYTHONPATH='${packages}' '${python.trim()}'`);
  await checkout.addProgram('aws', 'python3 -m awscli');
  const made = await checkout.run(makeKeys);
  assert.equal(made.code, 0, made.output);
  Object.assign(stack.settings, {
    ENCRYPTION_KEYS_FILE: join(checkout.folder, 'keys.txt'),
    ENCRYPTION_KMS_KEY_ARNS: KMS_KEY,
    AWS_ENDPOINT_URL_KMS: kms.endpoint,
    AWS_DEFAULT_REGION: stack.settings['AWS_REGION'],
  });
  await stack.startWorker({ settings: directory.settings });

  const put = (file: string, content: string) => writeFile(join(checkout.folder, file), content);
  await put('credential', `${CREDENTIAL}\n`);
  await put('roles.csv', `account_id,custom_role_name\n${ACCOUNT},from-a-file\n${ACCOUNT},from-a-file-too\n`);

  let requests = 0;
  const lastRequest = () => `request-${requests}`;
  const request = (simulate: Simulate = { polls: 0 }) => {
    requests += 1;
    return { ...inputFor(stack, ROLE, simulate), correlation_id: lastRequest() };
  };
  return {
    stack,
    checkout,
    directory,
    collector,
    put,
    request,
    lastRequest,
    start: async (simulate, flags = [], settings = {}) => {
      const stdin = JSON.stringify(request(simulate));
      const { code, stderr } = await stack.cli(['start', '--input', '-', ...flags], { stdin, settings });
      assert.equal(code, 0, stderr);
    },
    ended: async () => void (await stack.cli(['watch', ACCOUNT, RESOURCE])),
    stop: async () => {
      await stack.stop();
      await Promise.all([directory.stop(), kms.stop(), collector.stop()]);
      await checkout.remove();
    },
  };
}

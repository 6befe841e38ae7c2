import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { startBuild } from '../../../src/cli/build/started.ts';
import { serviceError } from '../../../src/cli/errors/service.ts';
import type { CliError } from '../../../src/cli/errors/cli-error.ts';
import type { Services } from '../../../src/cli/services.ts';
import type { RoleBuildInput } from '../../../src/domain/role-build-input.ts';

const TEMPORAL = { service: 'Temporal', address: '127.0.0.1:7233', namespace: 'default' } as const;

const INPUT = JSON.parse(readFileSync(new URL('../../fixtures/input.json', import.meta.url), 'utf8')) as RoleBuildInput;

describe('a start without an answer', () => {
  /** Returns a command's error when Temporal's client fails like this. */
  async function failureOf(code: number, details: string): Promise<CliError> {
    const services = {
      temporal: async () => {
        throw serviceError(Object.assign(new Error(details), { code, details, metadata: {} }), TEMPORAL) ?? 'none';
      },
    } as unknown as Services;
    return startBuild(services, INPUT).then(
      () => assert.fail('it started'),
      (err: unknown) => err as CliError,
    );
  }

  it('a start whose answer was lost says that the build may run, and how to look', async () => {
    for (const [code, details] of [
      [4, 'Deadline exceeded'],
      [14, 'Connection dropped'],
    ] as const) {
      const failure = await failureOf(code, details);
      assert.equal(failure.message, `Temporal at 127.0.0.1:7233 does not answer: ${details}`);
      assert.equal(failure.exitCode, 5);
      assert.match(
        failure.details.hint ?? '',
        /^the build may have been started: role-build status 123456789012 'iam_role#.+' shows whether it was$/,
      );
      const { workflow_id, correlation_id } = failure.details.fields ?? {};
      assert.match(String(workflow_id), /^role-build:123456789012:iam_role#/);
      assert.equal(correlation_id, INPUT.correlation_id);
    }
  });

  it('a start that Temporal refused does not say that the build may run', async () => {
    for (const [code, details] of [
      [7, 'no'],
      [8, 'namespace rate limit exceeded'],
    ] as const) {
      const failure = await failureOf(code, details);
      assert.doesNotMatch(failure.details.hint ?? '', /may have been started/);
    }
  });
});

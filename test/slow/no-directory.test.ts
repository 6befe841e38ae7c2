/** A request for a group when no worker has a directory. It is slow because the server's timeout takes 60 s. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { inputFor, startTestStack } from '../support/stack.ts';
import { WorkflowEnvironment } from '../support/workflow-environment.ts';

describe('a request for a group', { concurrency: true }, () => {
  let environment: WorkflowEnvironment;
  before(async () => {
    environment = await WorkflowEnvironment.devServer();
  });
  after(() => environment.stop());

  it('a request for a group that no worker can make fails before the POST and says which settings are missing', async (t) => {
    const build = await environment.start(t, {}, { input: { directory_group: true } });
    const end = await build.end(120_000);
    assert.ok(end.status === 'FAILED');
    assert.equal(end.type, 'DirectoryUnavailable');
    assert.match(
      end.message,
      /^CheckDirectoryGroup: no worker took it in 60 s: .*DIRECTORY_URL, .*DIRECTORY_GROUP_OU set$/,
    );
    const steps = ['upsertRequestRecord', 'insertRequestHistory', 'updateFailedRecord', 'updateFailedHistory'];
    assert.deepEqual(build.steps, steps);
  });

  it('a request for a group fails with a real worker that has no directory, and role-build says so', async (t) => {
    const stack = await startTestStack();
    t.after(() => stack.stop());
    await stack.startWorker();
    const input = inputFor(stack, 'no-directory', {}, { directory_group: true });
    const { code, json, stderr } = await stack.build(input);
    assert.equal(code, 1, stderr);
    const { Error: name, Cause } = json['error_info'] as { Error: string; Cause: string };
    assert.equal(name, 'DirectoryUnavailable');
    assert.match(Cause, /DIRECTORY_URL, DIRECTORY_BIND_USER, DIRECTORY_PASSWORD_FILE and DIRECTORY_GROUP_OU/);
    assert.deepEqual(stack.buildApi.requests(input.correlation_id), []);
  });
});

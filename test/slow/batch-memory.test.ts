import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { batchFixture, type Given } from '../support/batch-fixture.ts';
import { parseJson } from '../support/stack.ts';

describe('role-build batch on a small machine', () => {
  const on = batchFixture();
  const { lines, write, readReport, args } = on;

  it('role-build batch on a small machine checks 10,000 lines and starts 1,000 in less memory than the lines need', async () => {
    // No worker polls this queue, so the builds are only started.
    const settings = { NODE_OPTIONS: '--max-old-space-size=40', ROLE_BUILD_TASK_QUEUE: 'nobody' };
    const padded = lines('many', 10_000).map((one) => ({
      ...one,
      build_body: { ...(one['build_body'] as Given), padding: 'x'.repeat(3_000) },
    }));
    const bad = await write('many-bad.ndjson', [...padded, {}]);
    const checked = await on.stack.cli(args(bad, 'many-bad'), { settings });
    assert.equal(checked.code, 2, checked.stderr);
    assert.match(checked.stderr, /line 10001: build_body: is missing/);
    assert.equal(parseJson(checked)['lines'], 10_001);

    const good = await write('many.ndjson', padded.slice(0, 1_000));
    const started = await on.stack.cli(args(good, 'many'), { settings });
    assert.equal(started.code, 0, started.stderr);
    assert.deepEqual(parseJson(started)['statuses'], { IN_PROGRESS: 1_000 });
    assert.equal((await readReport('many')).length, 1_000);
  });
});

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';

const MODULE = new URL('../../src/operations/process-settings.ts', import.meta.url).href;
const SAYS = `
  import { applyProcessSettings } from '${MODULE}';
  applyProcessSettings(process.env);
  const { MALLOC_ARENA_MAX: heaps, TOKIO_WORKER_THREADS: threads, NODE_OPTIONS: options, KEPT: kept } = process.env;
  process.stdout.write(JSON.stringify({ pid: process.pid, heaps, threads, options, kept, arguments: process.argv.slice(1) }));
`;

function run(env: Record<string, string>) {
  const args = ['--no-deprecation', '--input-type=module', '--eval', SAYS, 'one', 'two words'];
  const { pid, stdout, stderr, status } = spawnSync(process.execPath, args, {
    env: { PATH: process.env['PATH'], KEPT: 'yes', ...env },
    encoding: 'utf8',
    timeout: 30_000,
  });
  assert.equal(status, 0, stderr);
  // Neither Node.js nor V8 has anything to say against it.
  assert.equal(stderr, '');
  const { pid: saidPid, ...said } = JSON.parse(stdout) as Record<string, unknown>;
  return { ...said, isSameProcess: saidPid === pid };
}

describe('process settings of a worker', { skip: process.platform !== 'linux' && 'glibc is on Linux' }, () => {
  const same = { kept: 'yes', arguments: ['one', 'two words'], isSameProcess: true };

  test('are set by a new start in the same process, with its arguments and its environment', () => {
    const options = '--max-semi-space-size=8';
    assert.deepEqual(run({}), { ...same, heaps: '2', threads: '1', options });
  });

  test('of NODE_OPTIONS come after ours, and so prevail', () => {
    const given = '--max-semi-space-size=32 --max-old-space-size=640';
    const options = `--max-semi-space-size=8 ${given}`;
    const said = run({ NODE_OPTIONS: given });
    assert.deepEqual(said, { ...same, heaps: '2', threads: '1', options });
  });

  test('leave as many native threads as TOKIO_WORKER_THREADS says', () => {
    const options = '--max-semi-space-size=8';
    assert.deepEqual(run({ TOKIO_WORKER_THREADS: '3' }), { ...same, heaps: '2', threads: '3', options });
  });

  test('that take a new start are left to whoever sets MALLOC_ARENA_MAX', () => {
    assert.deepEqual(run({ MALLOC_ARENA_MAX: '4' }), { ...same, heaps: '4', threads: '1' });
  });
});

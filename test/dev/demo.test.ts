import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'node:test';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

function run(script: string, args: readonly string[] = [], program = process.execPath) {
  const child = spawn(program, [script, ...args], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
  const stderr = text(child.stderr);
  const ended = once(child, 'close').then(async ([code]) => ({
    code: code as number | null,
    output,
    stderr: await stderr,
  }));
  const prints = async (pattern: RegExp) => {
    while (!pattern.test(output)) {
      await Promise.race([
        once(child.stdout, 'data'),
        ended.then((end) => {
          throw new Error(`${script} ended with ${end.code} before it printed ${pattern}:\n${end.output}${end.stderr}`);
        }),
      ]);
    }
  };
  return { child, ended, prints };
}

describe('npm run dev and npm run demo', () => {
  it('the demo runs its builds to their ends while another stack runs; both stop cleanly', async () => {
    const dev = run('dev/dev.ts');
    await dev.prints(/A local stack is running/);
    const { code, output, stderr } = await run('dev/demo.ts', ['--directory']).ended;
    assert.equal(code, 0, output + stderr);
    for (const line of [
      /data-reader ended: COMPLETE/,
      /data-writer ended: FAILED/,
      /auditor {5}TriggerBuild done \(attempt 2\)/,
      /auditor {5}ended: COMPLETE/,
      /DynamoDB table iam_orchestrator_request_history/,
      /"outcome": "created"/,
      /Groups in the directory:\nCN=AWS-123456789012-operator,OU=AWS Roles/,
      /Temporal Web UI: http:\/\/127\.0\.0\.1:\d+/,
      /Every build ended as it should/,
    ]) {
      assert.match(output, line);
    }
    dev.child.kill('SIGINT');
    dev.child.kill('SIGINT');
    const stopped = await dev.ended;
    assert.equal(stopped.code, 0, stopped.stderr);
  });

  it('the demo with --keep runs until npm gets a signal', async () => {
    const demo = run('run', ['-s', 'demo', '--', '--keep'], 'npm');
    await demo.prints(/Left running: (http:\S+)/);
    demo.child.kill('SIGTERM');
    // Its stdout closes when the last process that has it open ends.
    assert.equal((await demo.ended).code, 0);
  });
});

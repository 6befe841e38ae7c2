import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { inputFor, startTestStack, until, type TestStack } from '../support/stack.ts';
import { documents, TERMINAL, type, type SessionOptions, type Shown } from '../support/cli-session.ts';

describe('watch of many builds', { concurrency: 3 }, () => {
  let stack: TestStack;
  before(async () => {
    stack = await startTestStack();
    await stack.startWorker();
  });
  after(() => stack.stop());

  const $ = (line: string, options?: SessionOptions): Promise<Shown> => type(stack.settings, line, options).shown;
  const start = async (name: string, simulate: object, action = 'create') => {
    const input = inputFor(stack, name, simulate);
    input.build_body.action = action;
    await stack.cli(['start', '--input', '-'], { stdin: JSON.stringify(input) });
    await until(
      'visibility has it',
      async () => documents(await $(`role-build list --json --role ${name}`)).length > 0,
    );
    return input;
  };

  it('watch of many builds follows all that match to their end, also those that start meanwhile, and sums them up', async () => {
    await start('watched-1', { outcome: 'NEVER' });
    const line = `role-build watch --query 'CustomRoleName STARTS_WITH "watched"'`;
    const live = type(stack.settings, line, { terminal: TERMINAL });
    const piped = type(stack.settings, line);
    await start('watched-2', { polls: 25, outcome: 'FAILED' });
    await stack.cli(['watch', '--role', 'watched-2']);
    await stack.cli(['cancel', '123456789012', 'iam_role#watched-1']);
    const [screen, lines] = await Promise.all([live.shown, piped.shown]);
    assert.equal(lines.code, 1, lines.stderr);
    assert.match(lines.screen, /^123456789012 iam_role#watched-1: GetBuildStatus: poll \d+, IN_PROGRESS$/m);
    assert.match(lines.screen, /^123456789012 iam_role#watched-2: ended: FAILED$/m);
    assert.match(lines.stderr, /1 CANCELLED, 1 FAILED|1 FAILED, 1 CANCELLED/);
    assert.equal(screen.code, 1, screen.stderr);
    assert.match(screen.screen, /^STATUS +ACCOUNT +RESOURCE +STEP +POLLS/);
    assert.match(screen.screen, /^CANCELLED +\d{12} +iam_role#watched-1/m);
    assert.match(screen.screen, /^FAILED +\d{12} +iam_role#watched-2/m);
    assert.match(screen.screen, /1 (CANCELLED|FAILED), 1 (CANCELLED|FAILED)$/);
  });

  it('watch of many builds exits 0 if all are COMPLETE; --json prints a document for each change', async () => {
    await start('all-well', { polls: 30 }, 'update');
    const { code, screen, stderr } = await $('role-build watch --action update --since 1h --json');
    assert.equal(code, 0, stderr);
    const all = documents({ screen });
    assert.ok(all.length > 3);
    assert.equal(all.at(-1)?.['status'], 'COMPLETE');
    assert.equal(all.at(-1)?.['resource'], 'iam_role#all-well');
  });

  it('watch of many builds also reports a build that waited beyond --limit and ended meanwhile', async () => {
    await start('beyond-1', { outcome: 'NEVER' });
    await start('beyond-2', { outcome: 'NEVER' });
    let isFirst = true;
    const watching = type(stack.settings, `role-build watch --query 'CustomRoleName STARTS_WITH "beyond"' --limit 1`, {
      onStdout: () => {
        if (!isFirst) return;
        isFirst = false;
        // The newest build is followed, and the older one waits.
        const cancel = (name: string) => stack.cli(['cancel', '123456789012', `iam_role#${name}`, '--wait']);
        void cancel('beyond-1').then(() => cancel('beyond-2'));
      },
    });
    const { code, screen, stderr } = await watching.shown;
    assert.equal(code, 1, stderr);
    assert.match(stderr, /2 CANCELLED/);
    assert.match(screen, /^123456789012 iam_role#beyond-1: ended: CANCELLED$/m);
  });

  it('Ctrl-C ends a watch of many builds and leaves them running', async () => {
    await start('left-alone', { outcome: 'NEVER' }, 'delete');
    const watching = type(stack.settings, 'role-build watch --action delete', {
      terminal: { columns: 50, rows: 20 },
      onStdout: (chunk) => {
        if (chunk.includes('WaitForBuild')) watching.kill('SIGINT');
      },
    });
    const { code, screen, stderr } = await watching.shown;
    assert.equal(code, 130, stderr);
    assert.match(screen, /1 IN_PROGRESS\ninterrupted; the build goes on$/);
    for (const row of screen.split('\n')) assert.ok(row.length <= 50, row);
    const [left] = documents(await $('role-build list --role left-alone --json'));
    assert.equal(left?.['status'], 'IN_PROGRESS');
    await stack.cli(['cancel', '--job-id', String(left['job_id'])]);
  });

  it('watch of many builds says that nothing matches', async () => {
    const { code, stderr } = await $('role-build watch --role nobody');
    assert.equal(code, 4, stderr);
    assert.match(stderr, /no running build matches\ntry: role-build list/);
  });
});

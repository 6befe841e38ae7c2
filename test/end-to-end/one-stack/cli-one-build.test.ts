import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import type { Simulate } from '../../../dev/simulated-build-api/server.ts';
import { ACCOUNT, inputFor, letSucceed, until, type TestStack } from '../../support/stack.ts';
import { startCli } from '../../../dev/stack.ts';
import { oneStack } from './one-stack.ts';
import { documents, steady, TERMINAL, type, type SessionOptions, type Shown } from '../../support/cli-session.ts';
import { exitsWith } from '../../support/exits-with.ts';

/** Acts once, as soon as the text was shown. */
function onceShown(what: RegExp, act: () => void): (chunk: string) => void {
  let shown = '';
  let isDone = false;
  return (chunk) => {
    shown += chunk;
    if (isDone || !what.test(shown)) return;
    isDone = true;
    act();
  };
}

describe('commands about one build', { concurrency: 4 }, () => {
  let stack: TestStack;
  before(async () => {
    stack = await oneStack();
  });

  const $ = (line: string, options?: SessionOptions): Promise<Shown> => type(stack.settings, line, options).shown;
  /** Starts a build. If it never ends, waits until it has polled. */
  const start = async (name: string, simulate: Simulate, more = {}) => {
    const input = inputFor(stack, name, simulate, more);
    const stdin = JSON.stringify(input);
    if (simulate.outcome !== 'NEVER') return await stack.build(input);
    const started = await stack.cli(['start', '--input', '-', '--json'], { stdin });
    await until('it has polled', () => stack.buildApi.requests(input.correlation_id).length >= 3);
    return { ...started, json: JSON.parse(started.stdout) as Record<string, unknown> };
  };

  it('status of a running build shows record, steps, last answer, next poll, Web UI and what to type next', async () => {
    const { json } = await start('running', { outcome: 'NEVER' }, { poll_interval_seconds: 2 });
    const { code, screen, stderr } = await $(`role-build status ${ACCOUNT} 'iam_role#running'`);
    assert.equal(code, 0, stderr);
    assert.match(screen, /^status +IN_PROGRESS\nworkflow_id +role-build:123456789012:iam_role#running\n/);
    assert.match(screen, /^start_at +(now|\d+s ago) {2}\d{4}-.*Z$/m);
    assert.match(screen, /^last_status +IN_PROGRESS$/m);
    assert.match(screen, /^STEP +STATE +ATTEMPTS +STARTED +TOOK +WHAT$/m);
    assert.match(screen, /^UpsertRequestRecord +done +1 /m);
    assert.match(screen, /^GetBuildStatus +done +1 .* \d+ polls?, last answer IN_PROGRESS$/m);
    assert.match(screen, /^WaitForBuildStatus +waiting .* next poll (in \d+s|now|\d+s ago)/m);
    assert.ok(
      screen.includes(
        `/namespaces/${stack.temporal.namespace}/workflows/role-build%3A${ACCOUNT}%3Aiam_role%23running/${String(json['job_id'])}\n`,
      ),
    );
    assert.match(screen, /^Next +role-build watch 123456789012 'iam_role#running'$/m);
    await stack.cli(['cancel', '--job-id', String(json['job_id'])]);
  });

  it('status of a failed build says who must act, and shows a command that works', async () => {
    const unavailable = { status: 503 };
    await start('let-down', { polls: 0, status: [unavailable, unavailable, unavailable] });
    const shown = await $(`role-build status ${ACCOUNT} 'iam_role#let-down'`);
    assert.equal(shown.code, 0, shown.stderr);
    assert.match(shown.screen, /^GetBuildStatus +failed +3 /m);
    assert.match(
      shown.screen,
      /^BuildApiUnavailable, the build API must act\n {2}GetBuildStatus: GET .* answered 503/m,
    );
    const next = /^Next +(role-build resume .*)$/m.exec(shown.screen)?.[1] ?? '';
    assert.equal(next, `role-build resume ${ACCOUNT} 'iam_role#let-down' --wait`);
    const resumed = await $(next);
    assert.equal(resumed.code, 0, resumed.stderr);
    assert.match(resumed.screen, /^status +COMPLETE$/m);
    assert.doesNotMatch(resumed.screen, /^Next/m);

    const [json] = documents(await $(`role-build status ${ACCOUNT} 'iam_role#let-down' --json`));
    const steps = json?.['steps'] as { step: string; state: string; attempts: number; ended_at: string }[];
    assert.deepEqual(
      steps.map(({ step, state }) => `${step} ${state}`),
      [
        'UpsertRequestRecord done',
        'InsertRequestHistory done',
        'GetBuildStatus done',
        'UpdateSuccessfulRecord done',
        'UpdateSuccessfulHistory done',
      ],
    );
    for (const { ended_at } of steps) assert.match(ended_at, /^\d{4}-.*Z$/);
  });

  it('status of a build that its API turned down tells the requester to start another', async () => {
    const { json } = await start('refused', { polls: 0, outcome: 'FAILED', message: 'no such \u001b[31mpolicy' });
    assert.equal(json['move'], 'requester');
    assert.equal(json['next_command'], 'role-build start --input FILE --wait');
    const { screen, raw } = await $(`role-build status --job-id ${String(json['job_id'])}`, { terminal: TERMINAL });
    assert.match(screen, /^BuildFailed, the requester must act$/m);
    assert.ok(raw.includes('\u001b[31mFAILED\u001b[39m'), 'in red on a terminal');
    assert.ok(!raw.includes('\u001b[31mpolicy'), 'what the build API says drives no terminal');
  });

  it('watch redraws a screen in place, and leaves the final state on it', async () => {
    const input = inputFor(stack, 'live', { outcome: 'NEVER' });
    await stack.cli(['start', '--input', '-'], { stdin: JSON.stringify(input) });
    const { code, screen, raw, stderr } = await $(`role-build watch ${ACCOUNT} 'iam_role#live'`, {
      terminal: TERMINAL,
      onStdout: onceShown(/next poll/, () => letSucceed(stack, input)),
    });
    assert.equal(code, 0, stderr);
    assert.match(steady(raw), /IN_PROGRESS[\s\S]*WaitForBuildStatus[\s\S]*next poll/);
    assert.equal(screen.match(/^status /gm)?.length, 1, screen);
    assert.match(screen, /^status +COMPLETE\nworkflow_id [\s\S]*^UpdateSuccessfulHistory +done/m);
    assert.ok(raw.includes('\u001b[?25h'), 'the cursor is back');
  });

  it('watch in a pipe prints a line for each change, with --json a document', async () => {
    const lines = async (name: string, flags: string, enough: RegExp) => {
      const input = inputFor(stack, name, { outcome: 'NEVER' });
      await stack.cli(['start', '--input', '-'], { stdin: JSON.stringify(input) });
      return $(`role-build watch ${ACCOUNT} 'iam_role#${name}' ${flags}`, {
        onStdout: onceShown(enough, () => letSucceed(stack, input)),
      });
    };
    const [text, json] = await Promise.all([
      lines('piped', '', /poll 1, IN_PROGRESS\n/),
      lines('piped-json', '--json', /"polls":1\b/),
    ]);
    assert.match(text.screen, /^started: job \S+\nUpsertRequestRecord …\nUpsertRequestRecord done\n/);
    assert.match(text.screen, /\nWaitForBuildStatus: next poll at \S+Z\nGetBuildStatus: poll 1, IN_PROGRESS\n/);
    assert.ok(!text.screen.includes('\u001b'));
    const all = documents(json);
    assert.ok(all.length > 5);
    assert.equal(all.at(-1)?.['status'], 'COMPLETE');
  });

  it('Ctrl-C ends watch with 130, and the build goes on', async () => {
    const { json } = await start('left', { outcome: 'NEVER' });
    const watching = type(stack.settings, `role-build watch ${ACCOUNT} 'iam_role#left'`, {
      terminal: TERMINAL,
      // A second signal would end it at once.
      onStdout: onceShown(/WaitForBuildStatus/, () => watching.kill('SIGINT')),
    });
    const { code, screen, raw, stderr } = await watching.shown;
    assert.equal(code, 130, stderr);
    assert.match(screen, /interrupted; the build goes on$/);
    assert.ok(raw.includes('\u001b[?25h'), 'the cursor is back');
    const [now] = documents(await $(`role-build status ${ACCOUNT} 'iam_role#left' --json`));
    assert.equal(now?.['status'], 'IN_PROGRESS');
    await stack.cli(['cancel', '--job-id', String(json['job_id'])]);
  });

  it('status --correlation-id finds a build right after start, before a worker has written its records', async () => {
    const settings = { ...stack.settings, ROLE_BUILD_TASK_QUEUE: 'nobody', ENCRYPTED_JWT: 'x' };
    const args = ['start', '--account', ACCOUNT, '--role', 'unlisted', '--url', stack.buildApiUrl, '--json'];
    const started = await startCli(args, settings).result;
    const { correlation_id, job_id } = JSON.parse(started.stdout) as Record<string, string>;
    const { code, stdout, stderr } = await stack.cli(['status', '--correlation-id', String(correlation_id), '--json']);
    assert.equal(code, 0, stderr);
    assert.equal((JSON.parse(stdout) as Record<string, unknown>)['job_id'], job_id);
  });

  it('status says that a build waits for a worker, and names the task queue', async () => {
    const settings = { ...stack.settings, ROLE_BUILD_TASK_QUEUE: 'nobody', ENCRYPTED_JWT: 'x' };
    const args = ['start', '--account', ACCOUNT, '--role', 'untaken', '--url', stack.buildApiUrl, '--wait'];
    const untaken =
      /no worker takes its workflow task, which was scheduled \d+s ago: does one poll the task queue "nobody"\?/;
    const starting = startCli(args, settings, {
      // A second signal would end it at once.
      onStderr: onceShown(untaken, () => starting.kill('SIGINT')),
    });
    const { code, stderr } = await starting.result;
    assert.equal(code, 130, stderr);
    const line = `role-build status ${ACCOUNT} 'iam_role#untaken'`;
    assert.match((await $(line)).screen, untaken);
    const [{ untaken_workflow_task: task } = {}] = documents(await $(`${line} --json`));
    const { scheduled_at, ...rest } = task as Record<string, unknown>;
    assert.deepEqual(rest, { task_queue: 'nobody', attempt: 1 });
    assert.match(String(scheduled_at), /^\d{4}-.*Z$/);
    assert.doesNotMatch((await $(`role-build status ${ACCOUNT} 'iam_role#opened'`)).screen, /no worker/);
  });

  for (const [command, expected] of [
    ['watch', { code: 1, status: 'CANCELLED' }],
    ['cancel --wait', { code: 0, status: 'CANCELLED' }],
  ] as const) {
    it(`${command} says how a build ended even if its record can't be read`, async () => {
      const name = command.replace(/ .*/, '-blind');
      const { json } = await start(name, { outcome: 'NEVER' }, { poll_interval_seconds: 1 });
      const line = `role-build ${command} ${ACCOUNT} 'iam_role#${name}' --json`;
      const shown = await $(line, {
        settings: { AWS_ENDPOINT_URL_DYNAMODB: 'http://127.0.0.1:9' },
        onStdout: onceShown(/IN_PROGRESS/, () => void stack.cli(['cancel', '--job-id', String(json['job_id'])])),
      });
      assert.equal(shown.code, expected.code, shown.stderr);
      assert.equal(documents(shown).at(-1)?.['status'], expected.status);
      assert.match(shown.stderr, /the record can't be read: DynamoDB can't be reached/);
    });
  }

  it('open prints the page, and opens it in a terminal with the browser that is set', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'role-build-'));
    const [browser, opened] = [join(folder, 'browser'), join(folder, 'opened')];
    await writeFile(browser, `#!/bin/sh\nprintf %s "$1" > ${opened}.new && mv ${opened}.new ${opened}\n`);
    await chmod(browser, 0o755);
    await start('opened', { polls: 0 });
    const line = `role-build open ${ACCOUNT} 'iam_role#opened'`;
    const printed = await $(line, { settings: { BROWSER: browser } });
    assert.equal(printed.code, 0, printed.stderr);
    assert.match(printed.screen, /^http:\/\/127\.0\.0\.1:\d+\/namespaces\/[\w-]+\/workflows\/role-build%3A\S+\n$/);
    const page = await fetch(printed.screen.trim());
    assert.equal(page.status, 200);
    const shown = await $(line, {
      settings: { BROWSER: `/nowhere/at-all:${browser} %s -` },
      terminal: { columns: 300, rows: 24 },
    });
    await until('it is opened', () => readFile(opened).then(Boolean, () => false));
    assert.equal(await readFile(opened, 'utf8'), shown.screen);
    const without = await $(line, { settings: { TEMPORAL_UI_URL: '' } });
    assert.equal(without.code, 2, without.stderr);
    assert.match(without.stderr, /TEMPORAL_UI_URL does not say .*\ntry: export TEMPORAL_UI_URL=/);
    await exitsWith(4, $(`role-build open ${ACCOUNT} nothing`));
    await rm(folder, { recursive: true });
  });
});

/** Tests deploy/observability with a real Prometheus that scrapes real workers during builds. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual, promisify } from 'node:util';
import { parse } from 'yaml';
import { startDirectory, type DirectoryServer } from '../../../dev/servers/directory.ts';
import { findPromtool } from '../../../dev/servers/prometheus.ts';
import { STATUS_TABLE_NAME } from '../../../src/records/names.ts';
import { inputFor, startTestStack, until, type TestStack } from '../../support/stack.ts';
import { withClient } from '../../faults/truth.ts';
import { startPrometheus, type Prometheus } from './prometheus.ts';

const path = (relative: string) => fileURLToPath(new URL(`../../../${relative}`, import.meta.url));
const text = (relative: string) => readFileSync(path(relative), 'utf8');
const RULES = 'deploy/observability/alerts.yaml';
const RULE_TESTS = globSync('test/tools/observability/alerts-*.test.yaml', { cwd: path('') });

interface Rule {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { summary: string; runbook_url: string };
}
interface RuleTests {
  tests: { alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[];
}
/** The answer of Prometheus' API for rules. */
interface Groups {
  groups: { rules: { name: string; state: string; health: string; lastError?: string }[] }[];
}
interface Dashboard {
  panels: { title: string; type: string; targets?: { expr: string }[] }[];
  templating: { list: { name: string; type: string; allValue?: string; query: { query: string } }[] };
}

/** Several rounds of the metrics that workers get from Temporal every half a minute. */
const GIVE_UP_MS = 150_000;

const rules = (parse(text(RULES)) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules);
const dashboard = JSON.parse(text('deploy/observability/dashboard.json')) as Dashboard;
const queries = dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));

describe('the alert rules', () => {
  const promtool = async (...args: string[]) =>
    promisify(execFile)(await findPromtool(), args).catch((err: Error & { stdout?: string; stderr?: string }) => {
      assert.fail(`${err.stdout}${err.stderr}`);
    });

  it('the alert rules are accepted by Prometheus', async () => {
    await promtool('check', 'rules', path(RULES));
  });

  it('the alert rules fire when they should and stay quiet when they should', async () => {
    await promtool('test', 'rules', ...RULE_TESTS.map(path));
  });

  it("the alert rules all have a test that fires and one that doesn't", () => {
    const cases = RULE_TESTS.flatMap((file) =>
      (parse(text(file)) as RuleTests).tests.flatMap((test) => test.alert_rule_test),
    );
    for (const { alert } of rules) {
      const own = cases.filter(({ alertname }) => alertname === alert);
      assert.ok(
        own.some(({ exp_alerts }) => exp_alerts.length > 0) && own.some(({ exp_alerts }) => exp_alerts.length === 0),
        alert,
      );
    }
    assert.deepEqual(
      [...new Set(cases.map(({ alertname }) => alertname))].sort(),
      rules.map(({ alert }) => alert).sort(),
    );
  });

  it('the alert rules each have an entry in the runbook, which has no others', () => {
    const entries = [...text('docs/operations.md').matchAll(/^### (\w+)\n\n(Page|Ticket)\./gm)];
    assert.deepEqual(
      entries.map(([, name, severity]) => [name, severity?.toLowerCase()]),
      rules.map(({ alert, labels }) => [alert, labels.severity]),
    );
    for (const { alert, annotations } of rules) {
      assert.equal(annotations.runbook_url, `docs/operations.md#${alert.toLowerCase()}`);
    }
  });
});

describe('Prometheus, scraping two workers during builds', () => {
  let stack: TestStack;
  let directory: DirectoryServer;
  let prometheus: Prometheus;

  before(async () => {
    stack = await startTestStack();
    directory = await startDirectory();
    const workers = [await stack.startWorker({ settings: directory.settings }), await stack.startWorker()];
    prometheus = await startPrometheus(
      workers.map(({ metricsUrl }) => metricsUrl),
      path(RULES),
    );
  });
  after(async () => {
    await prometheus.stop();
    await stack.stop();
    await directory.stop();
  });

  const number = async (expression: string) => Number((await prometheus.query(expression))[0]?.value[1]);

  /** Asserts that a value becomes equal to another within a time limit. */
  const becomes = async <T>(read: () => Promise<T>, wanted: T) => {
    let seen: T | undefined;
    const equals = async () => isDeepStrictEqual((seen = await read()), wanted);
    await until('the metrics are as wanted', equals, GIVE_UP_MS).catch((err: unknown) => {
      if (seen !== undefined) assert.deepEqual(seen, wanted);
      throw err;
    });
  };

  it("Prometheus, scraping two workers during builds, adds up both workers' counts, but counts waiting final record updates once", async () => {
    let broken = true;
    stack.proxy.decide = ({ operation, request }) =>
      broken &&
      operation === 'UpdateItem' &&
      request.TableName === STATUS_TABLE_NAME &&
      JSON.stringify(request).includes('#waits')
        ? 'throttle'
        : undefined;
    const waits = stack.build(inputFor(stack, 'waits', { polls: 0 }));
    const names = Array.from({ length: 6 }, (_, i) => `good-${i}`);
    await Promise.all([
      ...names.map((name) => stack.build(inputFor(stack, name, { polls: 1 }))),
      stack.build(inputFor(stack, 'bad', { polls: 0, outcome: 'FAILED' })),
      withClient(stack, ({ workflow }) =>
        workflow.start('unknownToTheWorker', { taskQueue: 'role-builds', workflowId: 'unknown', args: [] }),
      ),
    ]);
    // The workers' pages are scraped one after the other, and the rules are evaluated later.
    await becomes(
      async () => ({
        up: await number('count(up == 1)'),
        ended: await number('sum(role_build_ended_total)'),
        failed: await number('sum(role_build_ended_total{outcome="FAILED",cause="BuildFailed"})'),
        polls: await number('sum(role_build_polls_total)'),
        inFlight: await number(`max(role_build_in_flight{namespace="${stack.temporal.namespace}"})`),
        // Both workers report the same waiting update.
        finalUpdatesWaiting: [
          await number('min(role_build_last_writes_waiting)'),
          await number('max(role_build_last_writes_waiting)'),
        ],
      }),
      { up: 2, ended: 7, failed: 1, polls: 14, inFlight: 1, finalUpdatesWaiting: [1, 1] },
    );
    await becomes(
      async () => {
        const { groups } = await prometheus.get<Groups>('rules');
        const states = groups.flatMap((group) => group.rules);
        const stateOf = (wanted: string) => states.find(({ name }) => name === wanted)?.state;
        return {
          count: states.length,
          unhealthy: states.filter(({ health }) => health !== 'ok').map(({ name, lastError }) => ({ name, lastError })),
          finalUpdatesWaiting: stateOf('RoleBuildLastWritesWaiting'),
          workersGone: stateOf('RoleBuildWorkersGone'),
          workflowTasksFailing: stateOf('RoleBuildWorkflowTasksFailing'),
        };
      },
      {
        count: rules.length,
        unhealthy: [],
        finalUpdatesWaiting: 'pending',
        workersGone: 'inactive',
        // One task of one build fails, on one of both workers.
        workflowTasksFailing: 'pending',
      },
    );
    assert.deepEqual(await prometheus.query('{exported_namespace!=""}'), []);
    broken = false;
    assert.equal((await waits).json['status'], 'COMPLETE');
    await becomes(() => number('max(role_build_last_writes_waiting)'), 0);
  });

  it('Prometheus, scraping two workers during builds, has every metric that the dashboard and the rules name', async () => {
    const names = new Set(
      [...rules, ...queries].flatMap(({ expr }) => expr.match(/\b(?:role_build|temporal)_\w+/g) ?? []),
    );
    assert.ok(names.size > 12);
    for (const name of names) assert.notEqual((await prometheus.query(`count(${name})`)).length, 0, name);
  });

  it("Prometheus, scraping two workers during builds, can run every panel's query, limited to our namespace and task queues", async () => {
    assert.ok(queries.length > 20);
    const variables = dashboard.templating.list.filter(({ type }) => type === 'query');
    assert.deepEqual(
      variables.map(({ name }) => name),
      ['namespace', 'task_queue'],
    );
    for (const { name, query, allValue } of variables) {
      assert.match(query.query, /^label_values\(role_build_/, name);
      // Without `allValue`, "All" means the listed values, which are ours, and not any value.
      assert.equal(allValue, undefined, name);
    }
    for (const { title, expr } of queries) {
      for (const [, name = '', filter = ''] of expr.matchAll(/\b((?:role_build|temporal)_\w+)(\{[^}]*\})?/g)) {
        assert.match(filter, /namespace=~"\$namespace"/, `${title}: ${name}`);
        if (name !== 'temporal_request_latency_seconds_bucket')
          assert.match(filter, /task_queue=~/, `${title}: ${name}`);
      }
      const filled = expr
        .replaceAll('$namespace', stack.temporal.namespace)
        .replaceAll('$task_queue', 'role-builds')
        .replaceAll('$__rate_interval', '1m');
      assert.ok(!filled.includes('$'), title);
      assert.notEqual((await prometheus.query(filled)).length, 0, `${title}: ${filled}`);
    }
  });
});

/** Runs each query of the docs as it is written there. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { workflowIdOf } from '../../src/contract.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { inputFor, startTestStack, until, type TestStack } from '../support/stack.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const page = readFileSync(`${root}/docs/operations.md`, 'utf8');
/** The queries after `--query` on any page of the docs; `…` stands for a time. */
const quoted = globSync(['*.md', 'docs/**/*.md'], { cwd: root })
  .flatMap((file) => [...readFileSync(`${root}/${file}`, 'utf8').matchAll(/--query "([^"]+)"/g)])
  .map(([, query = '']) => query.replaceAll(/\s+/g, ' ').replace("'…'", "'2100-01-01T00:00:00Z'"));
const CORRELATION_ID = '0e8a7a52-4a3f-4c54-9a57-2b3f0f6ad1c5';
const ALL = ['auditor', 'break-glass', 'data-reader', 'data-writer', 'gone'];

/** The builds that each of them finds. */
const FINDS: Record<string, readonly string[]> = {
  'CloseTime IS NULL': ['data-reader'],
  "BuildStatus = 'FAILED'": ['data-writer'],
  "AccountId = '123456789012'": ALL,
  "CustomRoleName = 'data-reader'": ['data-reader'],
  "CustomRoleName STARTS_WITH 'data-'": ['data-reader', 'data-writer'],
  "DryRun = true AND BuildStatus = 'FAILED'": ['data-writer'],
  "BuildAction = 'delete' AND BuildStatus != 'COMPLETE'": ['break-glass'],
  [`CorrelationId = '${CORRELATION_ID}'`]: ['data-reader'],
  "AccountId = '123456789012' AND Resource = 'iam_role#auditor'": ['auditor'],
  "ExecutionStatus IN ('Terminated', 'TimedOut')": ['gone'],
  "CloseTime IS NULL AND StartTime < '2100-01-01T00:00:00Z'": ['data-reader'],
  "ExecutionDuration > '10m'": [],
  "BuildType IN ('iam_role', 'iam_policy')": ALL,
};

describe('a query in the docs', () => {
  let stack: TestStack;

  before(async () => {
    stack = await startTestStack();
    await stack.startWorker();
    const failing = inputFor(stack, 'data-writer', { polls: 0, outcome: 'FAILED' });
    failing.build_body.dry_run = true;
    const endless = { outcome: 'NEVER' } as const;
    const cancelled = inputFor(stack, 'break-glass', endless);
    cancelled.build_body.action = 'delete';
    const started = [
      cancelled,
      inputFor(stack, 'gone', endless),
      inputFor(stack, 'data-reader', endless, { correlation_id: CORRELATION_ID }),
    ];
    await Promise.all([
      stack.build(inputFor(stack, 'auditor', { polls: 0 })),
      stack.build(failing),
      ...started.map((input) => start(input)),
    ]);
    await stack.cli(['cancel', '123456789012', 'iam_role#break-glass', '--wait']);
    const connection = await Connection.connect({ address: stack.temporal.address });
    await new Client({ namespace: stack.temporal.namespace, connection }).workflow
      .getHandle(workflowIdOf('123456789012', 'iam_role#gone'))
      .terminate();
    await connection.close();
    await until('visibility knows of every end', async () => (await found('CloseTime IS NOT NULL')).length === 4);
  });
  after(() => stack.stop());

  const start = (input: RoleBuildInput) => stack.cli(['start', '--input', '-'], { stdin: JSON.stringify(input) });

  async function found(query: string): Promise<string[]> {
    const { code, stdout, stderr } = await stack.cli(['list', '--query', query, '--json']);
    assert.equal(code, 0, stderr);
    const lines = stdout.split('\n').filter((line) => line !== '');
    return lines.map((line) => (JSON.parse(line) as { custom_role_name: string }).custom_role_name).sort();
  }

  it('a query in the docs is one of those below', () => {
    const queries = [...page.matchAll(/^- `([^`]* [^`]*)`: /gm)].map(([, query = '']) => query);
    assert.deepEqual(queries.sort(), Object.keys(FINDS).sort());
  });

  it('Temporal accepts every query in the docs', async () => {
    assert.ok(quoted.length >= 4, quoted.join('\n'));
    const connection = await Connection.connect({ address: stack.temporal.address });
    const { workflow } = new Client({ namespace: stack.temporal.namespace, connection });
    const counts = await Promise.all([...new Set(quoted)].map((query) => workflow.count(query)));
    assert.ok(counts.some(({ count }) => count > 0));
    await connection.close();
  });

  for (const [query, roles] of Object.entries(FINDS)) {
    it(`a query in the docs finds what it says: ${query}`, async () => {
      assert.deepEqual(await found(query), roles);
    });
  }
});

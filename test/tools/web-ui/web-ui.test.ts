import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startStack, type Stack } from '../../../dev/stack.ts';
import { until } from '../../support/until.ts';
import { buildPath, openWebUi, showColumns, startBuild, textWith } from './browser.ts';

describe('a build in the Temporal Web UI', () => {
  let stack: Stack;
  let ui: Awaited<ReturnType<typeof openWebUi>>;

  before(async () => {
    stack = await startStack();
    await stack.startWorker();
    ui = await openWebUi(stack);
  });
  after(async () => {
    await ui.close();
    await stack.stop();
  });

  /** Temporal lists an end shortly after the fact, and a page does not update its list. */
  const untilListed = (query: string) =>
    until('Temporal lists it', async () => (await stack.cli(['list', '--query', query, '--json'])).stdout !== '');

  it('a build in the Temporal Web UI shows its summary, its state, the poll count, the last answer and the time of the next poll', async () => {
    const jobId = await startBuild(stack, 'data-reader', { outcome: 'NEVER' }, { pollIntervalSeconds: 3 });
    await ui.open(buildPath('data-reader', jobId, 'user-metadata'));
    await textWith(ui.page, /create iam_role data-reader in 123456789012/);
    const details = await textWith(ui.page, /WaitForBuildStatus/);
    assert.match(details, /next poll at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/);
    assert.match(details, /polls: \d+/);
    assert.match(details, /build_id: \S+/);
  });

  it('a build in the Temporal Web UI shows every state under its own name in the timeline, including polls', async () => {
    const jobId = await startBuild(stack, 'auditor', { polls: 1 }, { wait: true, dryRun: true });
    await ui.open(buildPath('auditor', jobId, 'history'));
    for (const name of [
      'upsertRequestRecord',
      'insertRequestHistory',
      'triggerBuild',
      'getBuildStatus',
      'updateSuccessfulRecord',
      'updateSuccessfulHistory',
    ]) {
      await ui.page.getByText(name).first().waitFor();
    }
    await ui.page.getByText('GET /build/{build_id}').first().waitFor();
  });

  it('a build in the Temporal Web UI shows the cause of a failed build', async () => {
    const jobId = await startBuild(
      stack,
      'data-writer',
      { polls: 0, outcome: 'FAILED', message: 'policy missing' },
      { wait: true },
    );
    await ui.open(buildPath('data-writer', jobId, 'timeline'));
    await textWith(ui.page, /build \S+ ended with FAILED[^]*policy missing/);
  });

  it('a build in the Temporal Web UI can be found by its search attributes', async () => {
    await startBuild(stack, 'listed', { polls: 0 }, { wait: true });
    const query = "BuildStatus='COMPLETE' AND CustomRoleName='listed' AND DryRun=false";
    await untilListed(query);
    await ui.open(`?query=${encodeURIComponent(query)}`);
    const links = ui.page.getByRole('link', { name: /role-build:123456789012/ });
    await links.first().waitFor();
    assert.deepEqual(await links.allInnerTexts(), ['role-build:123456789012:iam_role#listed']);
  });

  it('a build in the Temporal Web UI has a row in the list with a column for each requested search attribute', async () => {
    await startBuild(stack, 'in-columns', { polls: 0 }, { wait: true, dryRun: true });
    await untilListed("BuildStatus='COMPLETE' AND CustomRoleName='in-columns'");
    await showColumns(ui.page, ['BuildStatus', 'AccountId', 'CustomRoleName', 'BuildAction', 'DryRun']);
    await ui.open(`?query=${encodeURIComponent("CustomRoleName='in-columns'")}`);
    const row = ui.page.getByRole('row', { name: /in-columns/ });
    await row.waitFor();
    assert.match((await row.innerText()).replaceAll(/\s+/g, ' '), /COMPLETE 123456789012 in-columns create true/i);
  });
});

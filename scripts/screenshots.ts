/** `npm run screenshots`: takes the docs' screenshots of the Web UI from real builds. Needs Chromium. */
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { startStack } from '../dev/stack.ts';
import { buildPath, openWebUi, showColumns, startBuild, textWith } from '../test/tools/web-ui/browser.ts';
import { until } from '../test/support/until.ts';

const FOLDER = fileURLToPath(new URL('../docs/images/', import.meta.url));
/** The part of the page without the menu and the top bar. */
const PAGE = { x: 256, y: 48, width: 1024, height: 640 };
const COLUMNS = ['BuildStatus', 'AccountId', 'CustomRoleName', 'BuildAction', 'DryRun', 'Start'];

const stack = await startStack();
await stack.startWorker();
const ui = await openWebUi(stack);
await mkdir(FOLDER, { recursive: true });

await startBuild(stack, 'log-archiver', { polls: 1 }, { wait: true });
await startBuild(stack, 'data-writer', { polls: 0, outcome: 'FAILED', message: 'policy missing' }, { wait: true });
await startBuild(stack, 'auditor', { polls: 0 }, { wait: true, dryRun: true });
await startBuild(stack, 'break-glass', { outcome: 'NEVER' });
await stack.cli(['cancel', '123456789012', 'iam_role#break-glass', '--wait']);
const jobId = await startBuild(stack, 'data-reader', { outcome: 'NEVER' }, { pollIntervalSeconds: 3 });
const requests = () => stack.buildApi.requests().filter(({ path }) => path.startsWith('/build/'));
const polled = requests().length;
await until('it was polled three times', () => requests().length >= polled + 3);

await ui.open(buildPath('data-reader', jobId, 'user-metadata'));
await textWith(ui.page, /WaitForBuildStatus/);
// The frame adapts its size to its contents after a moment.
await ui.page.waitForTimeout(1_000);
await ui.page.screenshot({ path: `${FOLDER}running-build.png`, clip: PAGE });

await showColumns(ui.page, COLUMNS);
await ui.open('');
await ui.page.getByRole('row', { name: /log-archiver/ }).waitFor();
await ui.page.screenshot({ path: `${FOLDER}builds.png`, clip: { ...PAGE, height: 440 } });

process.stdout.write(`${FOLDER}: builds.png, running-build.png\n`);
await ui.close();
await stack.stop();
process.exit();

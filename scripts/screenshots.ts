/** Takes the README's picture of a running build: `node scripts/screenshots.ts` (needs Chromium). */
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { startStack } from '../dev/stack.ts';
import { buildPath, openWebUi, startBuild, textWith } from '../test/tools/web-ui/browser.ts';

const FOLDER = fileURLToPath(new URL('../docs/images/', import.meta.url));

const stack = await startStack();
await stack.startWorker();
const ui = await openWebUi(stack);
await mkdir(FOLDER, { recursive: true });
const jobId = await startBuild(stack, 'data-reader', { outcome: 'NEVER' }, { pollIntervalSeconds: 5 });
while (stack.buildApi.requests().length < 4) await new Promise((resolve) => setTimeout(resolve, 200));
await ui.open(buildPath('data-reader', jobId, 'user-metadata'));
await textWith(ui.page, /WaitForBuildStatus/);
// The frame fits itself to what it shows a moment later.
await ui.page.waitForTimeout(1_000);
await ui.page.screenshot({ path: `${FOLDER}running-build.png`, clip: { x: 256, y: 48, width: 1024, height: 640 } });
await ui.close();
await stack.stop();
process.exit();

/**
 * `node sdk-download.ts temporal|temporal-test-server FOLDER`: makes the TypeScript SDK download a server into FOLDER.
 *
 * The SDK downloads a server only in order to start it. A separate program does this, because starting a server
 * installs the SDK's runtime, which a process can do only once, and because the process cannot abort a download.
 */
import { TestWorkflowEnvironment } from '@temporalio/testing';

const [command, downloadDir] = process.argv.slice(2);
if (downloadDir === undefined) throw new Error('usage: sdk-download.ts temporal|temporal-test-server FOLDER');

try {
  const executable = { type: 'cached-download', downloadDir } as const;
  const environment =
    command === 'temporal'
      ? await TestWorkflowEnvironment.createLocal({ server: { executable, log: { format: 'pretty', level: 'never' } } })
      : await TestWorkflowEnvironment.createTimeSkipping({ server: { executable } });
  await environment.teardown();
} catch (error) {
  process.stderr.write(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

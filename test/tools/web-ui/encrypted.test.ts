import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { freePort } from '../../../dev/servers/ports.ts';
import { startStack, type Stack } from '../../../dev/stack.ts';
import { startCodecServer, type RunningCodecServer } from '../../end-to-end/codec-server-program.ts';
import { keysText, newKey } from '../../encryption/keys.ts';
import { buildPath, openWebUi, startBuild, textWith } from './browser.ts';

const KEYS = { ENCRYPTION_KEYS: keysText(newKey('key-a')) };
/** The credential that `startBuild` sends. */
const CREDENTIAL = 'example-ciphertext-not-a-credential';

describe('an encrypted build in the Temporal Web UI', () => {
  let stack: Stack;
  let ui: Awaited<ReturnType<typeof openWebUi>>;
  let codecAddress: string;
  let jobId: string;
  let codecServer: RunningCodecServer | undefined;
  const startCodec = () =>
    startCodecServer({
      ...KEYS,
      CODEC_SERVER_ADDRESS: codecAddress,
      CODEC_SERVER_ALLOWED_ORIGINS: stack.temporal.uiUrl ?? '',
    });

  before(async () => {
    codecAddress = `127.0.0.1:${await freePort()}`;
    stack = await startStack({ temporal: { uiCodecEndpoint: `http://${codecAddress}` }, settings: KEYS });
    await stack.startWorker();
    ui = await openWebUi(stack);
    jobId = await startBuild(
      stack,
      'data-reader',
      { polls: 0, outcome: 'FAILED', message: 'policy missing' },
      { wait: true },
    );
  });
  after(async () => {
    await codecServer?.stop();
    await ui.close();
    await stack.stop();
  });

  /** Returns the text of the page once it shows its input and history, and takes a screenshot if requested. */
  async function shown(pattern: RegExp, picture: string): Promise<string> {
    await ui.open(buildPath('data-reader', jobId, 'history'));
    const text = await textWith(ui.page, pattern);
    const folder = process.env['SCREENSHOTS'];
    if (folder !== undefined) {
      await mkdir(folder, { recursive: true });
      await ui.page.screenshot({ path: `${folder}/${picture}.png`, fullPage: true });
    }
    return text;
  }

  it('an encrypted build in the Temporal Web UI cannot be read without the codec server', async () => {
    const text = await shown(/binary\/encrypted|YmluYXJ5L2VuY3J5cHRlZA/, 'encrypted');
    for (const word of ['custom_role_name', 'someone@example.com', 'policy missing', CREDENTIAL]) {
      assert.ok(!text.includes(word), word);
    }
  });

  it('an encrypted build in the Temporal Web UI can be read with the codec server, except for the credential', async () => {
    codecServer = await startCodec();
    const text = await shown(/custom_role_name/, 'decoded');
    for (const word of ['someone@example.com', 'policy missing', '[redacted by the codec server]']) {
      assert.ok(text.includes(word), `${word} is not in:\n${text}`);
    }
    assert.ok(!text.includes(CREDENTIAL));
    assert.ok(!(await ui.page.content()).includes(CREDENTIAL));
  });

  it('an encrypted build in the Temporal Web UI shows its summary and its state like any other build', async () => {
    const running = await startBuild(stack, 'running', { outcome: 'NEVER' }, { pollIntervalSeconds: 3 });
    await ui.open(buildPath('running', running, 'user-metadata'));
    await textWith(ui.page, /create iam_role running in 123456789012/);
    await textWith(ui.page, /WaitForBuildStatus/);
  });
});

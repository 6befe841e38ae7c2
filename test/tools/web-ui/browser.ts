import { chromium, type Page } from 'playwright-core';
import type { Stack } from '../../../dev/stack.ts';
import { workflowIdOf } from '../../../src/contract.ts';
import type { RoleBuildInput } from '../../../src/domain/role-build-input.ts';

const ACCOUNT = '123456789012';
const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';

/** Opens a stack's Web UI in a real Chromium. */
export async function openWebUi({
  temporal,
}: Stack): Promise<{ page: Page; open(path: string): Promise<void>; close(): Promise<void> }> {
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    // Allows only requests of the page itself: the browser's own would fail here.
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  const page = await browser.newPage({ viewport: { width: 1280, height: 760 } });
  return {
    page,
    open: async (path) => void (await page.goto(`${temporal.uiUrl}/namespaces/default/workflows${path}`)),
    close: () => browser.close(),
  };
}

/** Sets the columns of the list of workflows, as "Configure columns" does. Takes effect on the next page. */
export async function showColumns(page: Page, columns: readonly string[]): Promise<void> {
  await page.addInitScript(
    (value) => globalThis.localStorage.setItem('namespace-workflow-table-columns', value),
    JSON.stringify({ default: columns.map((label) => ({ label })) }),
  );
}

/** Returns a page's text once it matches, in any frame: Markdown has frames of its own. @throws after 30 s */
export async function textWith(page: Page, pattern: RegExp): Promise<string> {
  const giveUpAt = performance.now() + 30_000;
  for (;;) {
    const texts = await Promise.all(
      page.frames().map((frame) =>
        frame
          .locator('body')
          .innerText()
          .catch(() => ''),
      ),
    );
    const text = texts.join('\n');
    if (pattern.test(text)) return text;
    if (performance.now() > giveUpAt) throw new Error(`${pattern} is not on the page:\n${text}`);
    await page.waitForTimeout(100);
  }
}

export function buildPath(role: string, jobId: string, tab: string): string {
  return `/${encodeURIComponent(workflowIdOf(ACCOUNT, `iam_role#${role}`))}/${jobId}/${tab}`;
}

/** Starts a build; with `wait` also waits for its end. @returns its job ID */
export async function startBuild(
  stack: Stack,
  role: string,
  simulate: object,
  options: { wait?: boolean; dryRun?: boolean; pollIntervalSeconds?: number } = {},
): Promise<string> {
  const input: Partial<RoleBuildInput> = {
    build_body: {
      account_id: ACCOUNT,
      build_type: 'iam_role',
      action: 'create',
      custom_role_name: role,
      dry_run: options.dryRun ?? false,
      simulate,
    },
    ddb_composite_sort_key: `iam_role#${role}`,
    url: stack.buildApiUrl,
    encrypted_jwt: 'example-ciphertext-not-a-credential',
    poll_interval_seconds: options.pollIntervalSeconds ?? 1,
    requested_by: 'someone@example.com',
  };
  const { stdout, stderr } = await stack.cli(
    ['start', '--input', '-', '--json', ...(options.wait === true ? ['--wait'] : [])],
    { stdin: JSON.stringify(input) },
  );
  if (stdout === '') throw new Error(stderr);
  return (JSON.parse(stdout) as { job_id: string }).job_id;
}

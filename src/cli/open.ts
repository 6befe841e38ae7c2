import { spawn } from 'node:child_process';
import type { Environment } from '../config.ts';
import { describeExecution } from './build-view.ts';
import type { CommandContext, CommandResult } from './commands.ts';
import { CliError, notFound } from './errors.ts';
import { checkTarget, findTarget, type TargetOptions } from './target.ts';

export interface OpenOptions extends TargetOptions {
  print?: boolean;
}

/** Prints the build's page in the Web UI, and opens it where somebody sits before a desktop. */
export async function open(
  context: CommandContext,
  account: string | undefined,
  resource: string | undefined,
  options: OpenOptions,
): CommandResult {
  checkTarget(account, resource, options);
  const { output, json, env } = context;
  const services = await context.services();
  if (services.uiUrl('') === undefined) {
    throw new CliError('usage', "TEMPORAL_UI_URL does not say where Temporal's Web UI is", {
      hint: "export TEMPORAL_UI_URL=http://localhost:8233 (that of Temporal's development server)",
    });
  }
  const target = await findTarget(services, account, resource, options);
  const execution = await describeExecution(services, target);
  if (execution === undefined) throw notFound(target.name);
  const { workflowId, runId } = execution;
  const ui_url = services.uiUrl(workflowId, runId) ?? '';
  if (json) output.json({ workflow_id: workflowId, run_id: runId, ui_url });
  else output.line(ui_url);
  const browser = browserOf(env);
  if (browser !== undefined && options.print !== true && !json && output.terminal.isTerminal) {
    await launch(browser, ui_url).catch((err: Error) => output.note(`it can't be opened: ${err.message}`));
  }
  return 'done';
}

/** The program that opens an address, and its arguments before that; `undefined` where there is no desktop. */
function browserOf(env: Environment): string[] | undefined {
  if (env['BROWSER']) return [env['BROWSER']];
  if (process.platform === 'darwin') return ['open'];
  if (process.platform === 'win32') return ['rundll32', 'url.dll,FileProtocolHandler'];
  return env['DISPLAY'] || env['WAYLAND_DISPLAY'] ? ['xdg-open'] : undefined;
}

/** Resolves once it has started; it may outlive us. @throws where there is no such program */
async function launch([program = '', ...args]: string[], url: string): Promise<void> {
  const child = spawn(program, [...args, url], { detached: true, stdio: 'ignore' });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  child.unref();
}

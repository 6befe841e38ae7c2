import { spawn } from 'node:child_process';
import { delimiter } from 'node:path';
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
  const commands = browserCommands(env, ui_url);
  if (commands.length > 0 && options.print !== true && !json && output.terminal.isTerminal) {
    await launchFirst(commands).catch((err: Error) => output.note(`it can't be opened: ${err.message}`));
  }
  return 'done';
}

/**
 * Commands to open an address with, the preferred first; none if there is no desktop. `BROWSER` holds a list of them, as PATH
 * does of folders, with options and with `%s` where the address goes, at their end by default.
 * http://www.catb.org/~esr/BROWSER/
 */
export function browserCommands(env: Environment, url: string): string[][] {
  const chosen = (env['BROWSER'] ?? '').split(delimiter).map(wordsOf);
  const given = chosen.filter((words) => words.length > 0);
  if (given.length > 0) return given.map((words) => withAddress(words, url));
  if (process.platform === 'darwin') return [['open', url]];
  if (process.platform === 'win32') return [['rundll32', 'url.dll,FileProtocolHandler', url]];
  return env['DISPLAY'] || env['WAYLAND_DISPLAY'] ? [['xdg-open', url]] : [];
}

/** No shell takes them apart. A `&` at the end asks it for what is done in any case. */
function wordsOf(command: string): string[] {
  const quoted = command.match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g) ?? [];
  const words = quoted.map((word) => word.replaceAll(/"([^"]*)"|'([^']*)'/g, '$1$2'));
  return words.at(-1) === '&' ? words.slice(0, -1) : words;
}

function withAddress(words: readonly string[], url: string): string[] {
  const named: Readonly<Record<string, string>> = { '%s': url, '%c': ':', '%%': '%' };
  const filled = words.map((word) => word.replaceAll(/%[sc%]/g, (code) => named[code] ?? code));
  return words.some((word) => /(^|[^%])(%%)*%s/.test(word)) ? filled : [...filled, url];
}

/** @throws the last one's error if none can be started */
async function launchFirst(commands: readonly string[][]): Promise<void> {
  for (const [i, command] of commands.entries()) {
    try {
      return await launch(command);
    } catch (err) {
      if (i === commands.length - 1) throw err;
    }
  }
}

/** Resolves once it has started; it may outlive us. @throws if there is no such program */
async function launch([program = '', ...args]: string[]): Promise<void> {
  const child = spawn(program, args, { detached: true, stdio: 'ignore' });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  child.unref();
}

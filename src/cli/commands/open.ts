import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { delimiter } from 'node:path';
import type { Command } from 'commander';
import type { Environment } from '../../config/settings.ts';
import { openTarget, type TargetOptions } from '../build/target.ts';
import { describeExecution } from '../build/view.ts';
import type { CommandContext, CommandResult } from '../context.ts';
import { CliError, notFound } from '../errors/cli-error.ts';
import { examples, namesOneBuild } from '../options.ts';

export function define(command: Command): Command {
  return namesOneBuild(command)
    .description(
      "Prints the URL of the build's page in Temporal's Web UI. The setting TEMPORAL_UI_URL is the URL of the Web UI. On a terminal it " +
        "also opens the page: with the command in the variable BROWSER, or with the desktop's own program. BROWSER may list several " +
        'commands, separated by colons, with options and with %s for the URL.',
    )
    .option('--print', 'only print the URL')
    .addHelpText('after', examples("role-build open 123456789012 'iam_role#data-reader'"));
}

export async function run(context: CommandContext, options: TargetOptions & { print?: boolean }): CommandResult {
  const { output, json, env } = context;
  const { services, target } = await openTarget(context, options);
  const execution = await describeExecution(services, target.workflowId, target.jobId);
  if (execution === undefined) throw notFound(target.name);
  const { workflowId, runId } = execution;
  const ui_url = services.uiUrl(workflowId, runId);
  if (ui_url === undefined) {
    throw new CliError('usage', "TEMPORAL_UI_URL does not say where Temporal's Web UI is", {
      hint: "export TEMPORAL_UI_URL=http://localhost:8233 (that of Temporal's development server)",
    });
  }
  if (json) output.json({ workflow_id: workflowId, run_id: runId, ui_url });
  else output.line(ui_url);
  if (options.print === true || json || !output.terminal.isTerminal) return 'done';
  let failure: Error | undefined;
  for (const command of browserCommands(env, ui_url)) {
    failure = await launch(command);
    if (failure === undefined) break;
  }
  if (failure !== undefined) output.note(`it can't be opened: ${failure.message}`);
  return 'done';
}

/**
 * Returns commands that open a URL, the preferred first; none if there is no desktop. `BROWSER` is a list of commands,
 * separated as in PATH, with options and with `%s` for the URL, which is appended otherwise.
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

/** Splits a command as a shell does, but without a shell. Drops a final `&`: every command runs in the background. */
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

/** Starts a program, which may outlive this one. @returns the error if it could not be started */
async function launch([program = '', ...args]: string[]): Promise<Error | undefined> {
  const child = spawn(program, args, { detached: true, stdio: 'ignore' });
  child.unref();
  return once(child, 'spawn').then(
    () => undefined,
    (err: Error) => err,
  );
}

import type { Command } from 'commander';
import { showBuild } from '../build/show.ts';
import { openTarget, type TargetOptions } from '../build/target.ts';
import { viewBuild } from '../build/view.ts';
import type { CommandContext, CommandResult } from '../context.ts';
import { examples, namesOneBuild } from '../options.ts';

export function define(command: Command): Command {
  return namesOneBuild(command)
    .description(
      'Shows one build: its record, its steps with their attempts and times, the last answer of the build API, the next poll, and ' +
        'the command to type next. If the build failed, it also shows the cause and who must act. While the workflow runs, its ' +
        'state is shown and not the record. Exit code 0 if the build is found, however it ended.',
    )
    .addHelpText(
      'after',
      examples("role-build status 123456789012 'iam_role#data-reader'", 'role-build status --correlation-id ID --json'),
    );
}

export async function run(context: CommandContext, options: TargetOptions): CommandResult {
  const { services, target } = await openTarget(context, options);
  showBuild(context, await viewBuild(services, target));
  return 'done';
}

import { orNotFound, viewBuild } from './build-view.ts';
import type { CommandContext, CommandResult } from './commands.ts';
import { showBuild } from './show-build.ts';
import { checkTarget, findTarget, type TargetOptions } from './target.ts';

export async function status(
  context: CommandContext,
  account: string | undefined,
  resource: string | undefined,
  options: TargetOptions,
): CommandResult {
  checkTarget(account, resource, options);
  const services = await context.services();
  const target = await findTarget(services, account, resource, options);
  showBuild(context, orNotFound(await viewBuild(services, target), target));
  return 'done';
}

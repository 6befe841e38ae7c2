import type { StartedBuild } from '../start-role-build.ts';
import type { CommandContext } from './commands.ts';
import { fields } from './output.ts';

/** What is printed of a build that was started where its end is not waited for. */
export interface Started extends StartedBuild {
  /** The build was running already, and asks for the same. */
  attached?: true;
  /** The job that it resumes. */
  resumes?: string;
  /** The build that it polls on with. */
  build_id?: string;
}

export function printStarted({ output, json }: Pick<CommandContext, 'output' | 'json'>, started: Started): void {
  if (json) output.json(started);
  else output.line(fields({ ...started }));
}

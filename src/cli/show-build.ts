import type { ErrorInfo } from '../domain/failures.ts';
import type { BuildView } from './build-view.ts';
import type { CommandContext } from './commands.ts';
import { fields, oneLine } from './output.ts';

/** Prints one build: a JSON document, or a screen for people. */
export function showBuild({ output, json }: Pick<CommandContext, 'output' | 'json'>, view: BuildView): void {
  if (json) return output.json(view);
  const { error_info: errorInfo, contested, status, ...rest } = view;
  output.line(fields({ status, ...rest }));
  if (errorInfo !== undefined) {
    const { Error: name, Cause: cause } = errorInfo as ErrorInfo;
    output.line(`\n${oneLine(name)}\n  ${cause.replaceAll('\n', '\n  ')}`);
  }
  if (contested === true) output.line('\ncontested: a newer job holds a record, which was left alone');
}

import { setCurrentDetails } from '@temporalio/workflow';
import type { EndStatus } from '../domain/record-status.ts';
import { logEnded, logStep } from './log.ts';
import type { Progress } from '../domain/progress.ts';

/** Notes which state a build is in, logs it, and keeps what the Web UI shows of it current. Costs no history. */
export function showStep(progress: Progress, step: string, more?: string): void {
  progress.step = step;
  logStep(step, more);
  showDetails(progress, step, more);
}

/** The same of its end. */
export function showEnded(progress: Progress, status: EndStatus): void {
  logEnded(progress, status);
  progress.step = `ended ${status}`;
  showDetails(progress, progress.step);
}

function showDetails(progress: Progress, step: string, more?: string): void {
  const lines = [
    `**${step}**${more === undefined ? '' : `: ${more}`}`,
    '',
    `- polls: ${progress.polls}`,
    ...(progress.build_id === undefined ? [] : [`- build_id: ${code(progress.build_id)}`]),
    ...(progress.last_status === undefined ? [] : [`- last answer: ${code(progress.last_status)}`]),
    ...(progress.ending?.status === 'FAILED'
      ? [
          `- error: ${progress.ending.error_info.Error}`,
          `- cause: ${code(progress.ending.error_info.Cause.slice(0, 1000))}`,
        ]
      : []),
    ...(progress.contested ? ['- contested: true (a newer job holds a record, which was left alone)'] : []),
  ];
  setCurrentDetails(lines.join('\n'));
}

/** Text from outside, so that it can't be taken for Markdown. */
export function code(text: string): string {
  return `\`${text.replaceAll('`', "'").replace(/[\r\n]+/g, ' ')}\``;
}

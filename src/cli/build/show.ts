/** Shows one build on a screen: its record, its steps, why it failed and what to do about it. */
import { STATE_NAMES } from '../../activities/types.ts';
import { GROUP_WAITS, WAIT_SUMMARY } from '../../contract.ts';
import type { ErrorInfo } from '../../domain/failures.ts';
import { isStepFunctionsJob } from '../../domain/identity.ts';
import { oddities } from '../../records/attributes.ts';
import type { BuildStep } from './steps.ts';
import { describePaused, describeUntaken } from './blocked.ts';
import type { BuildView } from './view.ts';
import type { CommandContext } from '../context.ts';
import { toText } from '../terminal/output.ts';
import { styleFor, type Style } from '../terminal/style.ts';
import { tableOf, type ColumnOf } from '../terminal/table.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { relative, tookBetween } from '../terminal/times.ts';

/** Prints one build: a JSON document, or a screen for people. */
export function showBuild({ output, json }: Pick<CommandContext, 'output' | 'json'>, view: BuildView): void {
  if (json) return output.json(view);
  output.screen(buildScreen(view, output.terminal));
}

/** The attributes that are kept if the screen is too small for all. */
const KEY_ATTRIBUTES = new Set([
  'status',
  'workflow_id',
  'job_id',
  'build_id',
  'start_at',
  'last_status',
  'next_poll_at',
  'closed_at',
]);

/** Like {@link buildScreen}, for a screen that is redrawn, where lines beyond the last row would be lost. */
export function liveBuildScreen(view: BuildView, terminal: Terminal): string {
  const whole = buildScreen(view, terminal);
  if (whole.split('\n').length < terminal.rows) return whole;
  return buildScreen(view, terminal, (name) => KEY_ATTRIBUTES.has(name));
}

export function buildScreen(
  view: BuildView,
  terminal: Pick<Terminal, 'columns' | 'colours'>,
  isShown: (attribute: string) => boolean = () => true,
): string {
  const style = styleFor(terminal);
  const { status, error_info, odd_attributes, contested, steps, move, next_command, ui_url, ...more } = view;
  const { untaken_workflow_task, paused_activity, closed_at, ...rest } = more;
  const hasSteps = steps !== undefined && steps.length > 0;
  const attributes = Object.entries({ status, ...rest, closed_at }).filter(
    ([name]) => isShown(name) && !(hasSteps && IN_STEPS.has(name)),
  );
  const parts = [record(attributes, style)];
  if (hasSteps) parts.push(tableOf(STEP_COLUMNS, steps, terminal));
  const actor = move === undefined ? '' : `, the ${move} must act`;
  if (error_info !== undefined) parts.push(causeOf(error_info as ErrorInfo, actor, style));
  else if (actor !== '') {
    parts.push(`${style.bad('the record says IN_PROGRESS, but nothing runs in this namespace')}${actor}`);
  } else if (status === 'IN_PROGRESS' && isStepFunctionsJob(rest.job_id)) {
    parts.push(
      'an execution of Step Functions holds the record; only its own end or role-build start --take-over frees it',
    );
  }
  if (odd_attributes !== undefined)
    parts.push(`${style.bad('the record is not valid')}: ${style.plain(oddities(view))}`);
  if (untaken_workflow_task !== undefined) parts.push(style.bad(describeUntaken(untaken_workflow_task)));
  if (paused_activity !== undefined) parts.push(style.bad(describePaused(paused_activity)));
  if (contested === true) parts.push('contested: a newer job holds a record, which was left alone');
  const last = [
    ...(ui_url === undefined ? [] : [`${style.dim('Web UI')}  ${style.link(ui_url)}`]),
    ...(next_command === undefined ? [] : [`${style.dim('Next  ')}  ${style.bold(next_command)}`]),
  ];
  if (last.length > 0) parts.push(last.join('\n'));
  return parts.join('\n\n');
}

const TIMES = new Set(['start_at', 'updated_at', 'next_poll_at', 'next_attempt_at', 'closed_at']);
/** Attributes that the steps show. */
const IN_STEPS = new Set(['step', 'attempts', 'polls']);

/** Renders the attributes under their own names. A time is shown both relative and unchanged. */
function record(attributes: [name: string, value: unknown][], style: Style): string {
  const present = attributes.filter(([, value]) => value !== undefined);
  const width = Math.max(...present.map(([name]) => name.length));
  return present
    .map(([name, value]) => {
      const text = toText(value);
      const shown =
        name === 'status'
          ? style.status(text)
          : TIMES.has(name)
            ? `${style.plain(relative(text))}  ${style.dim(name === 'closed_at' ? `${text}${after(attributes, text)}` : text)}`
            : style.plain(text);
      return `${style.dim(style.plain(name).padEnd(width))}  ${shown}`;
    })
    .join('\n');
}

/** Returns how long after its start the build ended. */
function after(attributes: readonly [name: string, value: unknown][], closedAt: string): string {
  const startAt = attributes.find(([name]) => name === 'start_at')?.[1];
  const span = tookBetween(typeof startAt === 'string' ? startAt : undefined, closedAt);
  return span === '' ? '' : `, after ${span}`;
}

const STEP_COLUMNS: readonly ColumnOf<BuildStep>[] = [
  { head: 'STEP', cell: ({ step }, style) => style.plain(step) },
  { head: 'STATE', cell: ({ state }, style) => style.status(state) },
  {
    head: 'ATTEMPTS',
    goes: 1,
    cell: ({ state, failure, attempts }) =>
      state === 'waiting' && failure === undefined && attempts === 1 ? '' : String(attempts),
  },
  { head: 'STARTED', goes: 3, cell: ({ started_at }) => relative(started_at) },
  // For a single poll only its end is known.
  { head: 'TOOK', goes: 2, cell: (step) => (step.polls === 1 ? '' : tookBetween(step.started_at, step.ended_at)) },
  { head: 'WHAT', min: 12, cell: (step, style) => style.plain(whatOf(step)) },
];

function whatOf({ step, state, polls, last_status, until, failure }: BuildStep): string {
  const groupWaits = step === STATE_NAMES.ensureDirectoryGroup && (state === 'waiting' || state === 'running');
  const parts = [
    ...(groupWaits ? [GROUP_WAITS] : []),
    ...(polls === undefined || polls === 0 ? [] : [`${polls} ${polls === 1 ? 'poll' : 'polls'}`]),
    ...(last_status === undefined ? [] : [`last answer ${last_status}`]),
    ...(until === undefined ? [] : [`${step === WAIT_SUMMARY ? 'next poll' : 'tried again'} ${relative(until)}`]),
    ...(failure === undefined ? [] : [failure]),
  ];
  return parts.join(', ');
}

function causeOf({ Error: name, Cause: cause }: ErrorInfo, actor: string, style: Style): string {
  const lines = cause.split('\n').map((line) => `  ${style.plain(line)}`);
  return [`${style.bad(name)}${actor}`, ...lines].join('\n');
}

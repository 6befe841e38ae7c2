/** One build on a screen: its record, its steps, why it failed and what to do about it. */
import type { ErrorInfo } from '../domain/failures.ts';
import { oddities } from '../records/attributes.ts';
import type { BuildStep } from './build-steps.ts';
import type { BuildView } from './build-view.ts';
import type { CommandContext } from './commands.ts';
import { toText } from './output.ts';
import { styleFor, type Style } from './style.ts';
import { table } from './table.ts';
import type { Terminal } from './terminal.ts';
import { between, relative, took } from './times.ts';

/** Prints one build: a JSON document, or a screen for people. */
export function showBuild({ output, json }: Pick<CommandContext, 'output' | 'json'>, view: BuildView): void {
  if (json) return output.json(view);
  output.screen(buildScreen(view, output.terminal));
}

/** What stays of the record where the screen is too small for all of it. */
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

/** As {@link buildScreen}, on a screen that is redrawn: what does not fit on it would be lost. */
export function liveBuildScreen(view: BuildView, terminal: Terminal): string {
  const whole = buildScreen(view, terminal);
  if (whole.split('\n').length < terminal.rows) return whole;
  return buildScreen(view, terminal, (name) => KEY_ATTRIBUTES.has(name));
}

/** The screen of one build, with colours where the terminal has some. */
export function buildScreen(
  view: BuildView,
  terminal: Pick<Terminal, 'columns' | 'colours'>,
  isShown: (attribute: string) => boolean = () => true,
): string {
  const style = styleFor(terminal);
  const { status, error_info, odd_attributes, contested, steps, move, next_command, ui_url, closed_at, ...rest } = view;
  const hasSteps = steps !== undefined && steps.length > 0;
  const attributes = Object.entries({ status, ...rest, closed_at }).filter(
    ([name]) => isShown(name) && !(hasSteps && IN_STEPS.has(name)),
  );
  const parts = [record(attributes, style)];
  if (hasSteps) parts.push(stepsTable(steps, terminal, style));
  if (error_info !== undefined) parts.push(causeOf(error_info as ErrorInfo, move, style));
  else if (move !== undefined)
    parts.push(`${style.bad('the record says IN_PROGRESS, but nothing runs')}: ${move}'s move`);
  if (odd_attributes !== undefined) parts.push(`${style.bad('the record is odd')}: ${style.plain(oddities(view))}`);
  if (contested === true) parts.push('contested: a newer job holds a record, which was left alone');
  const last = [
    ...(ui_url === undefined ? [] : [`${style.dim('Web UI')}  ${style.link(ui_url)}`]),
    ...(next_command === undefined ? [] : [`${style.dim('Next  ')}  ${style.command(next_command)}`]),
  ];
  if (last.length > 0) parts.push(last.join('\n'));
  return parts.join('\n\n');
}

const TIMES = new Set(['start_at', 'updated_at', 'next_poll_at', 'next_attempt_at', 'closed_at']);
/** Attributes that the steps tell of. */
const IN_STEPS = new Set(['step', 'attempts', 'polls']);

/** The attributes by their own names. A time is relative, and as it stands. */
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

/** How long after its start. */
function after(attributes: readonly [name: string, value: unknown][], closedAt: string): string {
  const startAt = attributes.find(([name]) => name === 'start_at')?.[1];
  const ms = between(typeof startAt === 'string' ? startAt : undefined, closedAt);
  return ms === undefined ? '' : `, after ${took(ms)}`;
}

function stepsTable(steps: readonly BuildStep[], terminal: Pick<Terminal, 'columns'>, style: Style): string {
  const columns = [
    { head: 'STEP' },
    { head: 'STATE' },
    { head: 'ATTEMPTS', goes: 1 },
    { head: 'STARTED', goes: 3 },
    { head: 'TOOK', goes: 2 },
    { head: 'WHAT', min: 12 },
  ];
  const rows = steps.map((step) => [
    style.plain(step.step),
    style.status(step.state),
    step.state === 'waiting' && step.failure === undefined && step.attempts === 1 ? '' : String(step.attempts),
    relative(step.started_at),
    tookOf(step),
    style.plain(whatOf(step)),
  ]);
  return table(columns, rows, terminal.columns, style.dim);
}

/** Of a single poll nothing but its end is known. */
function tookOf({ started_at, ended_at, polls }: BuildStep): string {
  const ms = polls !== undefined && polls < 2 ? undefined : between(started_at, ended_at);
  return ms === undefined ? '' : took(ms);
}

function whatOf({ polls, last_status, until, failure }: BuildStep): string {
  const parts = [
    ...(polls === undefined || polls === 0 ? [] : [`${polls} ${polls === 1 ? 'poll' : 'polls'}`]),
    ...(last_status === undefined ? [] : [`last answer ${last_status}`]),
    ...(until === undefined ? [] : [`${failure === undefined ? 'next poll' : 'tried again'} ${relative(until)}`]),
    ...(failure === undefined ? [] : [failure]),
  ];
  return parts.join(', ');
}

function causeOf({ Error: name, Cause: cause }: ErrorInfo, move: string | undefined, style: Style): string {
  const whose = move === undefined ? '' : `, ${move}'s move`;
  return `${style.bad(name)}${whose}\n${cause
    .split('\n')
    .map((line) => `  ${style.plain(line)}`)
    .join('\n')}`;
}

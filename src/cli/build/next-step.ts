/** Returns what to do about a build, and the command that does it. */
import { defined } from '../../domain/defined.ts';
import { isOpen, isPaused } from '../../domain/execution-status.ts';
import { FAILURES, isFailureName, type ErrorInfo } from '../../domain/failures.ts';
import { isStepFunctionsJob } from '../../domain/identity.ts';
import { wayToResume } from '../../domain/previous-jobs.ts';
import type { RoleBuildInput } from '../../domain/role-build-input.ts';
import { parseRoleBuildId } from '../../contract.ts';

/** The part of a build that decides: attributes of its record, and what Temporal says. */
interface Build extends Record<string, unknown> {
  workflow_id: string;
  status: string;
  execution_status?: string;
  paused_activity?: { activity_id: string };
}

export interface NextStep {
  /** Who must act after a failure: the requester, the build API or the platform. */
  move?: string;
  next_command?: string;
}

/** Keys of `build_body` that have flags. */
const BODY_FLAGS = ['account_id', 'build_type', 'action', 'custom_role_name', 'dry_run'];

/** What a build was started with. Another client's URL may be of any type. */
type StartedWith = Pick<RoleBuildInput, 'build_body' | 'directory_group'> & { url?: unknown };

/** @param input the build's input, if Temporal still has it */
export function nextStep(view: Build, input: RoleBuildInput | undefined): NextStep {
  const target = targetOf(view);
  switch (view.status) {
    case 'COMPLETE':
      return {};
    case 'IN_PROGRESS':
      if (isPaused(view.execution_status)) return { next_command: unpause(view.workflow_id) };
      if (view.paused_activity) return { next_command: unpauseActivity(view.workflow_id, view.paused_activity) };
      if (isOpen(view.execution_status)) return { next_command: `role-build watch ${target}` };
      return isStepFunctionsJob(view['job_id']) ? {} : { move: 'platform', next_command: 'role-build doctor' };
    case 'FAILED':
      return afterFailure(view, target, input);
    case 'UNKNOWN':
      return isStepFunctionsJob(view['job_id']) ? {} : { next_command: 'role-build doctor' };
    default:
      return { next_command: startAgain(view, input) };
  }
}

export function unpause(workflowId: string): string {
  return `temporal workflow unpause --workflow-id ${quoted(workflowId)}`;
}

export function unpauseActivity(workflowId: string, { activity_id }: { activity_id: string }): string {
  return `temporal activity unpause --workflow-id ${quoted(workflowId)} --activity-id ${quoted(activity_id)}`;
}

function afterFailure(view: Build, target: string, input: RoleBuildInput | undefined): NextStep {
  const { Error: name } = (view['error_info'] ?? {}) as Partial<ErrorInfo>;
  // A refusal, before anything was recorded. The same input would be refused again.
  if (!isFailureName(name)) {
    const refusal: string | undefined = name;
    const changed = refusal === 'InvalidInput' && input !== undefined ? { ...input, url: undefined } : input;
    return { move: 'requester', next_command: startAgain(view, changed) };
  }
  const { move } = FAILURES[name];
  const { build_id, resumes } = view as { build_id?: string; resumes?: string };
  const way = wayToResume({ error_info: { Error: name, Cause: '' }, ...defined({ build_id }) }, []);
  // A resume that could not put its records has done nothing, so it can be resumed like the job that it resumed.
  const canResume = way !== undefined || (name === 'RecordWriteFailed' && (build_id ?? resumes) !== undefined);
  return { move, next_command: canResume ? `role-build resume ${target} --wait` : startAgain(view, input) };
}

/** Returns the command that makes the same request again. A `build_body` with keys that have no flag needs its file. */
function startAgain(view: Build, input: StartedWith | undefined): string {
  const text = (name: string) => (typeof view[name] === 'string' ? view[name] : '');
  if (text('custom_role_name') === '' || text('account_id') === '') return 'role-build start --input FILE --wait';
  if (input !== undefined && Object.keys(input.build_body).some((key) => !BODY_FLAGS.includes(key))) {
    return 'role-build start --input FILE --wait';
  }
  const isUsual = text('resource') === `${text('build_type')}#${text('custom_role_name')}`;
  const flags = [
    `--account ${quoted(text('account_id'))}`,
    `--role ${quoted(text('custom_role_name'))}`,
    ...(text('action') === 'create' ? [] : [`--action ${quoted(text('action'))}`]),
    ...(text('build_type') === 'iam_role' ? [] : [`--build-type ${quoted(text('build_type'))}`]),
    ...(isUsual ? [] : [`--resource ${quoted(text('resource'))}`]),
    ...(view['dry_run'] === true ? ['--dry-run'] : []),
    ...(input?.directory_group === true ? ['--directory-group'] : []),
    `--url ${typeof input?.url === 'string' ? quoted(input.url) : 'URL'}`,
  ];
  return `role-build start ${flags.join(' ')} --wait`;
}

function targetOf(view: Build): string {
  const parsed = parseRoleBuildId(view.workflow_id);
  return parsed === undefined
    ? `--workflow-id ${quoted(view.workflow_id)}`
    : `${parsed.account_id} ${quoted(parsed.resource)}`;
}

/** Quotes a text for a POSIX shell. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** Every error that a command may end with, and what that means to its user: exit code, message, advice. Loaded when one does. */
import { inspect } from 'node:util';
import { SettingsError } from '../config.ts';
import { PayloadUnreadableError } from '../encryption/unreadable.ts';
import type { BuildInProgressError, InvalidInputError } from '../start-role-build.ts';
import { CliError } from './errors.ts';
import { serviceError } from './service-errors.ts';
import { version } from './version.ts';

/** @returns `internal` for what nobody has foreseen: such an error is a fault of this program */
export function toCliError(err: unknown): CliError {
  if (err instanceof CliError) return err;
  if (err instanceof SettingsError) return failed('usage', err, err.message, { hint: 'role-build config' });
  if (err instanceof PayloadUnreadableError) {
    const hint = 'give the command the keys that the workers have (ENCRYPTION_…)';
    return failed('usage', err, `what Temporal keeps of the build can't be read: ${err.message}`, { hint });
  }
  if (!(err instanceof Error)) return internal(err);
  // By their names, so that Temporal's client is not loaded for a mistake in the settings.
  if (err.name === 'InvalidInputError') {
    const { faults } = err as InvalidInputError;
    return failed('usage', err, err.message, { fields: { faults } });
  }
  if (err.name === 'BuildInProgressError') {
    const { workflowId: workflow_id, jobId: job_id } = err as BuildInProgressError;
    return failed('inProgress', err, err.message, { fields: { workflow_id, job_id } });
  }
  if (err.name === 'WorkflowNotFoundError') return failed('notFound', err, `Temporal does not know it: ${err.message}`);
  if (err.name === 'WorkflowExecutionAlreadyStartedError') return failed('inProgress', err, err.message);
  if (err.name === 'KeyMismatchError') {
    const hint = 'name other tables with STATUS_TABLE and HISTORY_TABLE; setup makes them';
    return failed('usage', err, err.message, { hint });
  }
  return serviceError(err, { service: 'AWS' }) ?? fileError(err) ?? internal(err);
}

function failed(
  reason: CliError['reason'],
  cause: unknown,
  message: string,
  more: { hint?: string; fields?: Record<string, unknown> } = {},
): CliError {
  return new CliError(reason, message, { cause, ...more });
}

/** Files that are full, or of a file system that is, are no fault of whoever named them. */
const FULL = new Set<unknown>(['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO', 'EMFILE', 'ENFILE']);

/** A file that the user named: it is not there, is none, or may not be read or written. */
function fileError(err: NodeJS.ErrnoException): CliError | undefined {
  if (err.syscall === undefined || err.code === undefined) return undefined;
  if (FULL.has(err.code)) return failed('unreachable', err, err.message, { hint: 'make room, then the same again' });
  return err.path === undefined ? undefined : failed('usage', err, err.message);
}

/** Causes are followed no further. */
const CAUSES_SHOWN = 5;

function internal(err: unknown): CliError {
  const traces: string[] = [];
  for (
    let one = err;
    one !== undefined && traces.length < CAUSES_SHOWN;
    one = one instanceof Error ? one.cause : undefined
  ) {
    traces.push((one instanceof Error ? one.stack : undefined) ?? inspect(one, { depth: 0 }));
  }
  const what = err instanceof Error ? `${err.name}: ${err.message}` : inspect(err, { depth: 0 });
  return new CliError('internal', `internal error of role-build ${version()}: ${what}`, {
    cause: err,
    fields: { version: version() },
    trace: traces.join('\ncaused by '),
    hint: 'report it with this output: it is no outage, and builds go on',
  });
}

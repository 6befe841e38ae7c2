/** Converts an error of a command into its exit code, message and advice. Loaded only if a command fails. */
import { inspect } from 'node:util';
import { PAYLOAD_UNREADABLE } from '../../contract.ts';
import { howToRead } from '../../encryption/unreadable.ts';
import type { BuildInProgressError, InvalidInputError } from '../../start-role-build.ts';
import { version } from '../version.ts';
import { CliError } from './cli-error.ts';
import { serviceError } from './service.ts';

/** @returns `internal` for an unexpected error, which is a bug in this program */
export function toCliError(err: unknown): CliError {
  if (!(err instanceof Error)) return internal(err);
  return (
    (err instanceof CliError ? err : ownError(err)) ??
    serviceError(err, { service: 'AWS' }) ??
    fileError(err) ??
    internal(err)
  );
}

/** Matches names and not classes, so that a mistake in the settings does not load Temporal's client. */
function ownError(cause: Error): CliError | undefined {
  const { name, message } = cause;
  switch (name) {
    case 'SettingsError':
      return new CliError('usage', message, { cause, hint: 'role-build config' });
    case PAYLOAD_UNREADABLE:
      return new CliError('usage', `the build's data in Temporal can't be read: ${message}`, {
        cause,
        hint: howToRead(cause),
      });
    case 'InvalidInputError':
      return new CliError('usage', message, { cause, fields: { faults: (cause as InvalidInputError).faults } });
    case 'BuildInProgressError': {
      const { workflowId: workflow_id, jobId: job_id } = cause as BuildInProgressError;
      return new CliError('inProgress', message, { cause, fields: { workflow_id, job_id } });
    }
    case 'WorkflowNotFoundError':
      return new CliError('notFound', `Temporal does not know the build, or no longer: ${message}`, {
        cause,
        hint: 'role-build doctor compares the records with what Temporal has',
      });
    case 'WorkflowExecutionAlreadyStartedError':
      return new CliError('inProgress', message, { cause });
    case 'KeyMismatchError':
      return new CliError('usage', message, {
        cause,
        hint: 'name other tables with STATUS_TABLE and HISTORY_TABLE; role-build setup creates them',
      });
    default:
      return undefined;
  }
}

/** Codes of full files, disks and tables of open files. The user who named the file is not to blame. */
const FULL = /^(ENOSPC|EDQUOT|EFBIG|EIO|EMFILE|ENFILE)$/;

/** Converts an error about a file that the user named: it is missing, not a file, or may not be read or written. */
function fileError(err: NodeJS.ErrnoException): CliError | undefined {
  const { syscall, code, path, message } = err;
  if (syscall === undefined || code === undefined) return undefined;
  if (FULL.test(code)) {
    return new CliError('unreachable', message, { cause: err, hint: 'make room, then run the same command again' });
  }
  return path === undefined ? undefined : new CliError('usage', message, { cause: err });
}

/** How many errors of a chain of causes are shown, including the first. */
const CAUSES_SHOWN = 5;

function internal(err: unknown): CliError {
  const traces: string[] = [];
  for (let one = err; one !== undefined && traces.length < CAUSES_SHOWN; one = (one as Error | null)?.cause) {
    traces.push((one instanceof Error ? one.stack : undefined) ?? inspect(one, { depth: 0 }));
  }
  const what = err instanceof Error ? `${err.name}: ${err.message}` : inspect(err, { depth: 0 });
  return new CliError('internal', `internal error of role-build ${version()}: ${what}`, {
    cause: err,
    fields: { version: version() },
    trace: traces.join('\ncaused by '),
    hint: 'report it with this output; it is not an outage, and builds go on',
  });
}

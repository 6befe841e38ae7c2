/** Reads how a build ended from its history. Other clients may write anything there, so only valid values are kept. */
import type { RoleBuildOutcome } from '../../contract.ts';
import { buildIdFault } from '../../domain/build-status.ts';
import { defined } from '../../domain/defined.ts';
import { isDirectoryGroup, isDirectoryServer, type DirectoryGroup } from '../../domain/directory-group.ts';
import { errorInfo, isFailureName, type ErrorInfo } from '../../domain/failures.ts';
import { isEndStatus } from '../../domain/record-status.ts';

type Known = Partial<Record<'build_id' | 'error_info' | 'directory_group', unknown>>;

/** Returns the valid attributes of an end. */
export function endAttributesOf(value: unknown) {
  const { build_id, error_info, directory_group } = (value ?? {}) as Known;
  return defined({
    build_id: buildIdFault(build_id) === undefined ? (build_id as string) : undefined,
    error_info: errorInfoOf(error_info),
    directory_group: groupOf(directory_group),
  });
}

/** @returns `undefined` unless the value is an outcome that our workflow writes */
export function outcomeOf(value: unknown): RoleBuildOutcome | undefined {
  const given = (value ?? {}) as Partial<Record<keyof RoleBuildOutcome, unknown>>;
  const { status, polls, contested, account_id, resource, job_id, start_at, correlation_id } = given;
  const texts = { account_id, resource, job_id, start_at, correlation_id };
  const areTexts = Object.values(texts).every((text) => text === undefined || typeof text === 'string');
  if (!isEndStatus(status) || !areTexts || !Number.isSafeInteger(polls) || typeof contested !== 'boolean')
    return undefined;
  const end = endAttributesOf(given);
  if ((status === 'FAILED') !== (end.error_info !== undefined)) return undefined;
  return { ...texts, ...end, status, polls, contested } as RoleBuildOutcome;
}

function errorInfoOf(value: unknown): ErrorInfo | undefined {
  const { Error: name, Cause: cause, sent_to } = (value ?? {}) as Partial<Record<keyof ErrorInfo, unknown>>;
  if (!isFailureName(name) || typeof cause !== 'string') return undefined;
  return defined({ ...errorInfo(name, cause), sent_to: isDirectoryServer(sent_to) ? sent_to : undefined });
}

function groupOf(value: unknown): DirectoryGroup | undefined {
  if (!isDirectoryGroup(value)) return undefined;
  const { name, object_guid, dn, outcome } = value;
  return defined({ name, object_guid, dn, outcome });
}

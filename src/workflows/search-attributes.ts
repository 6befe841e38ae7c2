import { upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import { searchAttributes, searchAttributesOf } from '../contract.ts';
import type { EndStatus } from '../domain/record-status.ts';
import { hasInputShape, type RoleBuildInput } from '../domain/role-build-input.ts';

/** Adds the job's ID, and in the same history event whatever a client other than ours did not set at the start. */
export function showJob(input: RoleBuildInput, jobId: string): void {
  const started = workflowInfo().typedSearchAttributes.get(searchAttributes.AccountId) !== undefined;
  const missing = started || !hasInputShape(input) ? [] : searchAttributesOf(input);
  upsertSearchAttributes([{ key: searchAttributes.JobId, value: jobId }, ...missing]);
}

export function showEndStatus(status: EndStatus): void {
  upsertSearchAttributes([{ key: searchAttributes.BuildStatus, value: status }]);
}

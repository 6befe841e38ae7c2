import { upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import { searchAttributes, searchAttributesOf } from '../contract.ts';
import type { EndStatus } from '../domain/record-status.ts';
import { hasInputShape, type RoleBuildInput } from '../domain/role-build-input.ts';
import { isContinued } from './continue-as-new.ts';

/**
 * Sets the job's ID. The same history event corrects what another client left out at the start or set differently from
 * the input.
 */
export function showJob(input: RoleBuildInput, jobId: string): void {
  const shown = workflowInfo().typedSearchAttributes;
  const ofInput = hasInputShape(input) ? searchAttributesOf(input) : [];
  const wrong = [{ key: searchAttributes.JobId, value: jobId }, ...ofInput].filter(({ key, value }) => {
    // A continued run may already show how the build ended.
    if (key.name === searchAttributes.BuildStatus.name && isContinued()) return false;
    return shown.get(key) !== value;
  });
  if (wrong.length > 0) upsertSearchAttributes(wrong);
}

export function showEndStatus(status: EndStatus): void {
  upsertSearchAttributes([{ key: searchAttributes.BuildStatus, value: status }]);
}

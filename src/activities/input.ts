import { activityInfo, ApplicationFailure } from '@temporalio/activity';
import { originFault } from '../build-api/origins.ts';
import { parseRoleBuildId } from '../contract.ts';
import { invalidInput } from '../domain/role-build-input.ts';
import { inputFaults, resumptionFaults, type Fault } from '../domain/validate-input.ts';
import type { RecordTables } from '../records/items.ts';
import { readStatusRecord } from '../records/status-table.ts';
import type { OwnWorkflowActivities } from './types.ts';

export function createInputActivities(
  tables: RecordTables,
  allowedOrigins: readonly string[],
): Pick<OwnWorkflowActivities, 'checkCarriedInput'> {
  return {
    async checkCarriedInput(input, job, resumption) {
      const faults = faultsIn(input, allowedOrigins, resumption);
      const key = parseRoleBuildId(activityInfo().workflowExecution?.workflowId ?? '');
      if (faults.length === 0 || key === undefined) return faults;
      // Rules and origins may have changed since the start. If the record is this job's, its input was good then.
      const found = await readStatusRecord(tables, key);
      return found?.job_id === job.job_id ? [] : faults;
    },
  };
}

/** @throws ApplicationFailure `InvalidInput` */
export function refuseInvalid(input: unknown, allowedOrigins: readonly string[], resumption: unknown): void {
  const faults = faultsIn(input, allowedOrigins, resumption);
  if (faults.length > 0) throw ApplicationFailure.create({ ...invalidInput(faults), nonRetryable: true });
}

/** Our client checks too, but any Temporal client may start the workflow, so this is the check that counts. */
function faultsIn(input: unknown, allowedOrigins: readonly string[], resumption: unknown): Fault[] {
  const faults = inputFaults(input);
  if (resumption !== undefined && resumption !== null) faults.push(...resumptionFaults(resumption));
  const url = (input as { url?: unknown } | null | undefined)?.url;
  if (typeof url === 'string' && !faults.some(({ path }) => path === 'url')) {
    const message = originFault(url, allowedOrigins);
    if (message !== undefined) faults.push({ path: 'url', message });
  }
  return faults;
}

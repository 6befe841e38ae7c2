import { readHistoryRecord } from './history-table.ts';
import { readStatusRecord } from './status-table.ts';
import type { RecordTables } from './items.ts';

/** No build has it: no account ID, and no request's. */
const NOBODY = 'role-build-worker-readiness';

/**
 * Reads an item that is in neither table, which takes no more than the worker's own right to read.
 *
 * @throws the AWS SDK's error where a table is missing, may not be read or does not answer
 */
export async function reachTables(tables: RecordTables): Promise<void> {
  await Promise.all([
    readStatusRecord(tables, { account_id: NOBODY, resource: NOBODY }),
    readHistoryRecord(tables, NOBODY),
  ]);
}

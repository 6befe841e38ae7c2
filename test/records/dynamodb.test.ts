import assert from 'node:assert/strict';
import { it } from 'node:test';
import { reachTables } from '../../src/records/dynamodb.ts';
import { tables, useDynamoDb } from '../support/tables.ts';

useDynamoDb();

it('the tables count as reached if both exist', async () => {
  await reachTables(tables);
  for (const missing of [{ statusTable: 'none' }, { historyTable: 'none' }]) {
    await assert.rejects(reachTables({ ...tables, ...missing }), { name: 'ResourceNotFoundException' });
  }
});

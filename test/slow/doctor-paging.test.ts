/**
 * `doctor` on tables that it can't hold in memory. `npm run test:slow` runs it with 5,000 records in each; `npm run test:doctor-paging`
 * with 100,000, which takes minutes, nearly all of it to fill the tables.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { BatchWriteItemCommand, type WriteRequest } from '@aws-sdk/client-dynamodb';
import { startDoctorStack, TABLE_NAMES, type DoctorStack } from '../support/doctor-fixture.ts';
import { ACCOUNT, type RawItem } from '../support/stack.ts';

const RECORDS = Number(process.env['DOCTOR_RECORDS'] ?? 5_000);
/** One in this many is lost. */
const LOST_EVERY = Math.ceil(RECORDS / 25);
const BATCH = 25;
const WRITERS = 8;
/** The limit of the command's heap. Loading the two SDKs alone takes half of it. */
const HEAP_MB = 64;

function records(i: number): [RawItem, RawItem] {
  const isLost = i % LOST_EVERY === 0;
  const common: RawItem = {
    account_id: { S: ACCOUNT },
    resource: { S: `iam_role#role-${i}` },
    action: { S: 'create' },
    job_id: { S: randomUUID() },
    start_at: { S: '2026-01-01T00:00:00.000Z' },
    status: { S: isLost ? 'IN_PROGRESS' : 'FAILED' },
    trace_header: { S: 'Root=1-67891233-abcdef012345678912345678;Parent=463ac35c9f6413ad;Sampled=1' },
    updated_at: { S: '2026-01-01T01:00:00.000Z' },
    ...(isLost ? {} : { error_info: { M: { Error: { S: 'BuildFailed' }, Cause: { S: 'x'.repeat(200) } } } }),
  };
  return [
    {
      ...common,
      build_type: { S: 'iam_role' },
      custom_role_name: { S: `role-${i}` },
      dry_run: { BOOL: false },
      correlation_id: { S: `request-${i}` },
    },
    { ...common, request_id: { S: `request-${i}` } },
  ];
}

describe(`doctor on ${RECORDS} records in each table, with ${HEAP_MB} MB`, () => {
  let stack: DoctorStack;
  before(async () => {
    stack = await startDoctorStack();
  });
  after(() => stack.stop());

  it(`doctor on ${RECORDS} records in each table, with ${HEAP_MB} MB pages through them and prints a line for each that is lost`, async (t) => {
    const fill = async (writer: number) => {
      for (let first = writer * BATCH; first < RECORDS; first += WRITERS * BATCH) {
        const pairs = Array.from({ length: Math.min(BATCH, RECORDS - first) }, (_, i) => records(first + i));
        for (const [i, table] of [TABLE_NAMES.status, TABLE_NAMES.history].entries()) {
          let open: WriteRequest[] = pairs.map((pair) => ({ PutRequest: { Item: pair[i] } }));
          while (open.length > 0) {
            const RequestItems = { [table]: open };
            const { UnprocessedItems } = await stack.raw.send(new BatchWriteItemCommand({ RequestItems }));
            open = UnprocessedItems?.[table] ?? [];
          }
        }
      }
    };
    let startedAt = performance.now();
    await Promise.all(Array.from({ length: WRITERS }, (_, writer) => fill(writer)));
    t.diagnostic(`filled in ${((performance.now() - startedAt) / 1000).toFixed(0)} s`);

    startedAt = performance.now();
    const settings = { NODE_OPTIONS: `--max-old-space-size=${HEAP_MB}` };
    const { code, findings, stderr } = await stack.doctor([], { settings });
    t.diagnostic(`looked at in ${((performance.now() - startedAt) / 1000).toFixed(0)} s`);
    assert.equal(code, 1, stderr);
    assert.match(stderr, new RegExp(`looked at ${RECORDS} status records, ${RECORDS} history records, 0 executions`));
    assert.equal(findings.length, Math.ceil(RECORDS / LOST_EVERY));
    assert.ok(findings.every(({ finding }) => finding === 'WorkflowGone'));
    assert.equal(new Set(findings.map(({ resource }) => resource)).size, findings.length);
    const pages = stack.proxy.calls.filter(({ operation }) => operation === 'Scan').length;
    assert.ok(pages >= (2 * RECORDS) / 500, `${pages} pages`);
  });
});

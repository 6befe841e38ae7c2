/** Hostile inputs through the worker's own check, with a real DynamoDB behind it. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { ScanCommand } from '@aws-sdk/client-dynamodb';
import { ApplicationFailure, defaultPayloadConverter } from '@temporalio/common';
import * as fc from 'fast-check';
import { createRecordActivities } from '../../src/activities/records.ts';
import { originFault } from '../../src/build-api/origins.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { INPUT_MAX_BYTES, inputFaults } from '../../src/domain/validate-input.ts';
import { sampleInput } from '../domain/sample-input.ts';
import { JOB, raw, tables, useDynamoDb } from '../support/tables.ts';
import { faultyInputs, hostileInput, isJson, MANY, oversizedInputs, SEED } from '../support/hostile-inputs.ts';
import { urlTricks } from '../support/url-tricks.ts';

const JSON_PLAIN = { encoding: Buffer.from('json/plain') };
const LISTED = 'http://127.0.0.1:8090';
const ORIGINS = ['https://builds.example.com', LISTED];
const FAILURE_MAX_CHARACTERS = 64 * 1024;

useDynamoDb();

describe("the worker's first activity", () => {
  let calls = 0;
  let upsert: (input: unknown) => Promise<unknown>;
  before(() => {
    const send = tables.client.send.bind(tables.client) as (command: unknown) => Promise<unknown>;
    const counting = {
      send: (command: unknown) => {
        calls += 1;
        return send(command);
      },
    } as unknown as typeof tables.client;
    const { upsertRequestRecord } = createRecordActivities(
      { ...tables, client: counting },
      ORIGINS,
      async () => undefined,
    );
    // A valid input replaces the record of the valid one before it.
    upsert = (input) =>
      upsertRequestRecord(input as RoleBuildInput, { ...JOB, job_id: `job-${calls}`, start_at: at() });
  });

  let seconds = 0;
  const at = () => new Date(Date.UTC(2026, 0, 1) + (seconds += 1) * 1000).toISOString();

  /** @returns the failure of the activity */
  async function refusalOf(input: unknown): Promise<ApplicationFailure | undefined> {
    try {
      await upsert(input);
      return undefined;
    } catch (err) {
      assert.ok(err instanceof ApplicationFailure, `a crash: ${String(err)}`);
      return err;
    }
  }

  function assertRefused(failure: ApplicationFailure | undefined): void {
    assert.equal(failure?.type, 'InvalidInput');
    assert.equal(failure.nonRetryable, true);
    const all = `${failure.message}${failure.stack}${JSON.stringify(failure.details)}`;
    assert.ok(all.length < FAILURE_MAX_CHARACTERS, `${all.length} characters`);
    assert.ok(failure.message.isWellFormed());
  }

  it(`the worker's first activity refuses each invalid one of ${MANY} generated inputs without a call to DynamoDB`, async (t) => {
    t.diagnostic(`seed ${SEED}`);
    let written = 0;
    await fc.assert(
      fc.asyncProperty(hostileInput, async (text) => {
        // Text that is not JSON can reach an activity only as a string.
        const data = Buffer.from(isJson(text) ? text : JSON.stringify(text));
        const input = defaultPayloadConverter.fromPayload({ metadata: JSON_PLAIN, data });
        const callsBefore = calls;
        const failure = await refusalOf(input);
        const isGood = inputFaults(input).length === 0 && isListed(input);
        if (isGood) {
          assert.equal(failure, undefined);
          assert.ok(calls > callsBefore);
          written += 1;
        } else {
          assertRefused(failure);
          assert.equal(calls, callsBefore);
        }
      }),
      { numRuns: MANY, seed: SEED },
    );
    assert.ok(written > 0 && written < MANY / 2, `${written} were written`);
    t.diagnostic(`${written} written`);
    const { Count = 0 } = await raw.send(new ScanCommand({ TableName: tables.statusTable }));
    assert.ok(Count > 0 && Count <= written);
  });

  it("the worker's first activity refuses every trick with a url without a call to DynamoDB", async () => {
    const tricks = urlTricks(LISTED, '127.0.0.1:9').filter(({ isRefused }) => isRefused);
    assert.ok(tricks.length > 80);
    const callsBefore = calls;
    for (const { name, url } of tricks) {
      const failure = await refusalOf({ ...sampleInput(), url });
      assertRefused(failure);
      assert.match(failure?.message ?? '', /url: /, name);
    }
    assert.equal(calls, callsBefore);
  });

  for (const { name, text } of [...oversizedInputs(), ...faultyInputs()]) {
    it(`the worker's first activity refuses ${name} in a failure of limited size without a call to DynamoDB`, async () => {
      const callsBefore = calls;
      const failure = await refusalOf(JSON.parse(text));
      assertRefused(failure);
      assert.equal(calls, callsBefore);
      const bytes = /is (\d+) bytes of JSON/.exec(failure?.message ?? '')?.[1];
      assert.equal(
        Number(bytes) > INPUT_MAX_BYTES,
        oversizedInputs().some((one) => one.name === name),
      );
    });
  }
});

function isListed(input: unknown): boolean {
  return originFault((input as RoleBuildInput).url, ORIGINS) === undefined;
}

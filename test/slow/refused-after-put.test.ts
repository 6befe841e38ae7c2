/** A status put with an unknown outcome, when the next worker refuses the input. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { STATUS_TABLE_NAME } from '../../src/records/names.ts';
import type { DynamoDbCall, DynamoDbFault } from '../support/dynamodb-proxy.ts';
import { inputFor, parseJson, startTestStack, until, type TestStack } from '../support/stack.ts';

describe('a status put', { concurrency: 2 }, () => {
  let stack: TestStack;
  /** The faults of each build's status puts, in order; then none. */
  const faults = new Map<string, DynamoDbFault[]>();

  const isPut = ({ operation, request }: DynamoDbCall) =>
    operation === 'PutItem' && request.TableName === STATUS_TABLE_NAME;

  before(async () => {
    stack = await startTestStack();
    stack.proxy.decide = (call) => {
      if (!isPut(call)) return undefined;
      const text = JSON.stringify(call.request);
      return [...faults].find(([name]) => text.includes(`#${name}"`))?.[1].shift();
    };
  });
  after(() => stack.stop());

  for (const fault of ['lose-answer', 'throttle'] as const) {
    const wasPut = fault === 'lose-answer';
    it(`a status put (${fault}) whose next attempt is refused by a worker with another list of origins leaves ${wasPut ? 'FAILED records' : 'none'}`, async () => {
      const name = `refused-after-${fault}`;
      // The second fault is needed if the first worker stops only after its next attempt.
      faults.set(name, [fault, fault]);
      const settings = { ROLE_BUILD_TASK_QUEUE: name };
      const first = await stack.startWorker({ settings });
      const input = inputFor(stack, name);
      const options = { settings, stdin: JSON.stringify(input) };
      const building = stack.cli(['start', '--input', '-', '--wait', '--json'], options);
      await until('the put was tried', () => stack.proxy.callsFor(`#${name}"`).some(isPut));
      await first.stop();
      const elsewhere = { BUILD_API_ALLOWED_ORIGINS: 'https://builds.example.com' };
      const second = await stack.startWorker({ settings: { ...settings, ...elsewhere } });
      const result = await building;
      await second.stop();
      const json = parseJson(result);
      assert.equal(result.code, 1, result.stderr);
      const { Error: error, Cause } = json['error_info'] as { Error: string; Cause: string };
      assert.equal(error, wasPut ? 'RecordWriteFailed' : 'InvalidInput');
      assert.match(Cause, /the input was refused: url: /);
      const { status, history } = await stack.records(input);
      for (const record of [status, history]) {
        assert.equal(record?.['status']?.S, wasPut ? 'FAILED' : undefined);
        assert.equal(record?.['error_info']?.M?.['Cause']?.S, wasPut ? Cause : undefined);
        assert.equal(record?.['job_id']?.S, wasPut ? json['job_id'] : undefined);
      }
      assert.equal(stack.buildApi.requests(input.correlation_id).length, 0);
    });
  }
});

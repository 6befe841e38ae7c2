/** Which lines of a batch are requests. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Line } from '../../../../src/cli/commands/batch/lines.ts';
import { isRequest, readRequests, startIdOf, type LineDefaults } from '../../../../src/cli/commands/batch/requests.ts';
import type { RoleBuildInput } from '../../../../src/domain/role-build-input.ts';
import { sampleInput } from '../../../domain/sample-input.ts';

async function read(given: readonly unknown[], defaults: LineDefaults = {}) {
  async function* lines(): AsyncGenerator<Line> {
    for (const [i, one] of given.entries()) yield { number: i + 1, given: one, faults: [] };
  }
  return Array.fromAsync(readRequests({ name: 'roles.ndjson', lines }, defaults));
}
/** Returns the faults of each line; none for valid lines. */
async function faultsOf(given: readonly unknown[]): Promise<string[]> {
  const all = await read(given);
  return all.flatMap((one) =>
    isRequest(one) ? [] : one.faults.map(({ path, message }) => `${one.line} ${path}: ${message}`),
  );
}
function line(role: string, more: { account?: string; resource?: string; id?: string } = {}): Partial<RoleBuildInput> {
  const { correlation_id: _, ...input } = sampleInput();
  const body = { ...input.build_body, custom_role_name: role, account_id: more.account ?? input.build_body.account_id };
  return {
    ...input,
    build_body: body,
    ddb_composite_sort_key: more.resource ?? `iam_role#${role}`,
    ...(more.id === undefined ? {} : { correlation_id: more.id }),
  };
}

describe('the requests of a batch', () => {
  it('the requests of a batch are refused if two name one role in one account in different case', async () => {
    assert.deepEqual(
      await faultsOf([line('Reader'), line('writer'), line('reader'), line('WRITER', { resource: 'x' })]),
      [
        '3 ddb_composite_sort_key: line 1 asks for the same account and resource, but for case',
        '4 build_body.custom_role_name: line 2 asks for the same role in this account, but for case',
      ],
    );
    assert.deepEqual(await faultsOf([line('a', { resource: 'Team#a' }), line('a', { resource: 'team#A' })]), [
      '2 ddb_composite_sort_key: line 1 asks for the same account and resource, but for case',
    ]);
  });

  it('the requests of a batch are accepted if the account differs, or the resource of a role of the same name', async () => {
    const lines = [
      line('reader'),
      line('Reader', { account: '210987654321' }),
      line('reader', { resource: 'policy#1' }),
    ];
    assert.deepEqual(await faultsOf(lines), []);
  });

  it('the requests of a batch are refused if two are the same, or have the same correlation_id, in which case counts', async () => {
    assert.deepEqual(
      await faultsOf([line('a', { id: 'x' }), line('a', { id: 'y' }), line('b', { id: 'x' }), line('c', { id: 'X' })]),
      [
        '2 ddb_composite_sort_key: line 1 asks for the same account and resource',
        '3 correlation_id: line 1 has the same correlation_id',
      ],
    );
  });

  it('the requests of a batch have missing keys filled in, and keep a key such as __proto__ like any other', async () => {
    const given = JSON.parse(
      `{"__proto__":{"build_body":1},${JSON.stringify({ ...line('a'), encrypted_jwt: undefined }).slice(1)}`,
    ) as object;
    const [one] = await read([given], { fallbackCredential: 'jwt', poll_interval_seconds: 7 });
    assert.ok(one !== undefined && isRequest(one));
    assert.deepEqual([one.input.encrypted_jwt, one.input.poll_interval_seconds], ['jwt', 7]);
    assert.equal(one.input.poll_spread_seconds, 5);
    assert.ok(Object.hasOwn(one.input, '__proto__') && Object.getPrototypeOf(one.input) === Object.prototype);
    const nulled = await faultsOf([{ ...line('a'), correlation_id: null }]);
    assert.deepEqual(nulled, ['1 correlation_id: must be a string']);
  });

  it('the requests of a batch are started by an ID that is the same for the same request after the same run, and no other', () => {
    const ids = [
      startIdOf('a', undefined),
      startIdOf('b', undefined),
      startIdOf('a', 'run-1'),
      startIdOf('a', 'run-2'),
    ];
    assert.equal(new Set(ids).size, 4);
    assert.equal(startIdOf('a', 'run-1'), ids[2]);
  });
});

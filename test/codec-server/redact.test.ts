import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Payload } from '@temporalio/common';
import { forPeople } from '../../src/codec-server/redact.ts';

const STORED: Payload = { metadata: { encoding: Buffer.from('binary/encrypted') }, data: Buffer.of(1) };
const payload = (encoding: string, data: string | Buffer): Payload => ({
  metadata: { encoding: Buffer.from(encoding) },
  data: Buffer.from(data as string),
});
const shown = (json: string) => Buffer.from(forPeople(payload('json/plain', json), STORED).data ?? []).toString();

describe('a decoded payload', () => {
  for (const json of [
    '{"encrypted_jwt":"canary"}',
    '{"a":[{"b":{"encrypted_jwt":"canary"}}]}',
    '{"encrypted\\u005fjwt":"canary"}',
    '{"encrypted_jwt":"canary","encrypted_jwt":"x"}',
    '{"encrypted_jwt":{"deeper":"canary"}}',
    '{"__proto__":{"encrypted_jwt":"canary"}}',
  ]) {
    it(`a decoded payload is shown without the credential: ${json}`, () => {
      assert.ok(!shown(json).includes('canary'), shown(json));
      assert.match(shown(json), /redacted by the codec server/);
    });
  }

  it('a decoded payload is shown without the credential under a duplicate key', () => {
    for (const name of ['encrypted_jwt', 'encrypted\\u005fjwt']) {
      assert.equal(shown(`{"x":{"${name}":"canary"},"x":1}`), '{"x":1}');
    }
  });

  it('a decoded payload is otherwise shown unchanged, to the byte', () => {
    for (const json of ['{"n":1.0e2, "build_id":9007199254740993}', '"encrypted_jwt"', '{"name":"encrypted_jwt"}']) {
      assert.equal(shown(json), json);
    }
  });

  it('a decoded payload is not shown if it could hold the credential unseen', () => {
    for (const one of [
      payload('binary/plain', 'canary'),
      payload('binary/protobuf', 'canary'),
      payload('json/plain', '{"encrypted_jwt":"canary"'),
      payload('json/plain', Buffer.from([0xff, 0x22])),
      payload('json/plain', `${'['.repeat(200_000)}"canary"${']'.repeat(200_000)}`),
      { data: Buffer.from('canary') },
    ]) {
      assert.equal(forPeople(one, STORED), STORED);
    }
    const nothing: Payload = { metadata: { encoding: Buffer.from('binary/null') } };
    assert.equal(forPeople(nothing, STORED), nothing);
  });
});

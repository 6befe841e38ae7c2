/** What the AWS SDK throws before a call, for invalid settings and files. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { meaningOfAws } from '../../../src/cli/errors/aws.ts';

const systemError = (message: string, code: string) =>
  Object.assign(new Error(message), { code, errno: -1, syscall: 'read' });

describe("credentials that the AWS SDK can't read", () => {
  for (const err of [
    systemError('EISDIR: illegal operation on a directory, read', 'EISDIR'),
    Object.assign(systemError("EACCES: permission denied, open '/token'", 'EACCES'), { path: '/token' }),
    new Error('Resolved credential object is not valid'),
    new TypeError("Cannot read properties of undefined (reading 'sso_region')"),
  ]) {
    it(`credentials that the AWS SDK can't read are reported as such: ${err.message}`, () => {
      assert.equal(meaningOfAws(err, true)?.[0], "can't be called without credentials");
    });
  }

  it("a fault of our own is not reported as credentials that the AWS SDK can't read", () => {
    assert.equal(
      meaningOfAws(new TypeError("Cannot read properties of undefined (reading 'status')"), true),
      undefined,
    );
  });
});

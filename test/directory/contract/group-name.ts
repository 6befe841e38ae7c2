/** Which names a group may have. Samba accepts some that Windows refuses, so we check the limits. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ACCOUNT, nameFor, refuses, requestFor, type DirectoryUnderTest } from '../directory-under-test.ts';

export function holdGroupName(served: () => DirectoryUnderTest): void {
  describe("a group's name", () => {
    const groupName = '{role}-{account_id}';
    const refused: Record<string, string> = {
      '65 characters': 'r'.repeat(65 - nameFor('').length),
      'a plus sign': 'a+b',
      'an equals sign': 'a=b',
      'a comma': 'a,b',
      quotes: 'a"b"',
      'a backslash': 'a\\b',
      'letters beyond ASCII': 'prüfer',
      'a letter that only looks like one of ASCII': 'аdmin',
      'a NUL': 'a\0',
      'a line end': 'a\nb',
      'a blank at the end': 'a ',
      'a full stop at the end': 'a.',
      'a filter': 'a)(cn=*',
      'another OU': 'a,OU=Domain Controllers',
    };
    for (const [what, role] of Object.entries(refused)) {
      it(`a group's name is refused with ${what}, before anything is sent`, async () => {
        await refuses(served().open().check(requestFor(role)), 'DirectoryRefused');
        await refuses(served().open().ensure(requestFor(role)), 'DirectoryRefused');
        assert.deepEqual(served().front.sent, []);
      });
    }

    it("a group's name is refused with a blank at the beginning", async () => {
      await refuses(served().open({ DIRECTORY_GROUP_NAME: groupName }).check(requestFor(' a')), 'DirectoryRefused');
      assert.deepEqual(served().front.sent, []);
    });

    it("a group's name may have 64 characters", async () => {
      const role = 'r'.repeat(64 - nameFor('').length);
      assert.equal((await served().open().ensure(requestFor(role))).name, nameFor(role));
      assert.equal((await served().open().ensure(requestFor(role, 'job-2'))).outcome, 'adopted');
    });

    it("a group's name may begin with #, and have characters that a distinguished name or a filter escapes", async () => {
      for (const role of ['#lead', "a_b-c.d@e!f#g$h%i^j&k'l~m(n)", 'a  b']) {
        const group = await served().open({ DIRECTORY_GROUP_NAME: groupName }).ensure(requestFor(role));
        const [entry] = await served().find(`${role}-${ACCOUNT}`);
        assert.equal(entry?.['cn'], `${role}-${ACCOUNT}`);
        assert.deepEqual([group.outcome, group.dn], ['created', entry.dn]);
        assert.equal(
          (await served().open({ DIRECTORY_GROUP_NAME: groupName }).ensure(requestFor(role, 'job-2'))).outcome,
          'adopted',
        );
      }
    });
  });
}

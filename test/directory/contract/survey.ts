/** What `doctor --directory` learns about a directory. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { OTHER_ACCOUNT } from '../accounts.ts';
import { DOMAIN, GROUP_OU, nameFor, requestFor, USERS, type DirectoryUnderTest } from '../directory-under-test.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

export function holdSurvey(served: () => DirectoryUnderTest): void {
  describe('a survey', () => {
    it('a survey names the groups in the OU and below, however many there are, and no others', async () => {
      const parent = `OU=Surveyed,${GROUP_OU}`;
      await served().add(parent, { objectClass: ['top', 'organizationalUnit'] });
      await served().addGroup(nameFor('surveyed-below'), { parent });
      await served().addGroup(nameFor('surveyed-elsewhere'), { parent: USERS });
      const { object_guid, dn } = await served().open().ensure(requestFor('surveyed'));
      const { groups } = await served().open().survey();
      const ofRole = (role: string) => groups.find(({ name }) => name === nameFor(role));
      assert.deepEqual(ofRole('surveyed'), { name: nameFor('surveyed'), object_guid, dn });
      assert.equal(ofRole('surveyed-below')?.dn, `CN=${nameFor('surveyed-below')},${parent}`);
      assert.equal(ofRole('surveyed-elsewhere'), undefined);
      assert.equal(new Set(groups.map(({ name }) => name)).size, groups.length);
      assert.ok(groups.length > 1_000, `${groups.length} groups`);
      assert.equal(served().front.count('add'), 1);
    });

    it('a survey tells when the certificate expires', async () => {
      const { certificateExpires } = await served().open().survey();
      const leftMs = certificateExpires.getTime() - Date.now();
      assert.ok(leftMs > 0 && leftMs < DAY_MS, String(certificateExpires));
    });

    it('a survey says why no group can be made', async () => {
      assert.equal((await served().open().survey()).whyNoRight, undefined);
      await writeFile(join(served().folder, 'reader'), OTHER_ACCOUNT.password);
      const reader = {
        DIRECTORY_BIND_USER: OTHER_ACCOUNT.user,
        DIRECTORY_PASSWORD_FILE: join(served().folder, 'reader'),
      };
      assert.match((await served().open(reader).survey()).whyNoRight ?? '', /may not create groups/);
      const groupOu = `OU=Gone,${DOMAIN}`;
      const { whyNoRight, groups } = await served().open({ DIRECTORY_GROUP_OU: groupOu }).survey();
      assert.match(whyNoRight ?? '', /OU=Gone/);
      assert.deepEqual(groups, []);
    });
  });
}

/** The account that binds: its rights and its password. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { RESULT } from '../../../dev/simulated-directory/messages.ts';
import { OTHER_ACCOUNT, SERVICE_ACCOUNT } from '../accounts.ts';
import { DOMAIN, nameFor, refuses, requestFor, USERS, type DirectoryUnderTest } from '../directory-under-test.ts';

export function holdAccount(served: () => DirectoryUnderTest): void {
  describe('the account', () => {
    it('the account without the right to create groups in the OU is refused by the check', async () => {
      await writeFile(join(served().folder, 'other'), OTHER_ACCOUNT.password);
      const other = {
        DIRECTORY_BIND_USER: OTHER_ACCOUNT.user,
        DIRECTORY_PASSWORD_FILE: join(served().folder, 'other'),
      };
      await refuses(served().open(other).check(requestFor('right')), 'DirectoryRefused', /may not create groups/);
      await refuses(served().open(other).ensure(requestFor('right')), 'DirectoryRefused');
      assert.deepEqual(await served().find(nameFor('right')), []);
    });

    it('the account is refused for an OU in which it has no rights', async () => {
      await refuses(
        served().open({ DIRECTORY_GROUP_OU: USERS }).check(requestFor('right')),
        'DirectoryRefused',
        /may not create groups/,
      );
      await refuses(served().open({ DIRECTORY_GROUP_OU: USERS }).ensure(requestFor('right')), 'DirectoryRefused');
    });

    for (const [what, groupOu, why] of [
      ['is not there', `OU=Gone,${DOMAIN}`, /there is no OU=Gone,DC=corp/],
      ['is of another domain', 'OU=AWS Roles,DC=elsewhere,DC=example,DC=com', /there is no OU=AWS|refers to another/],
    ] as const) {
      it(`the account is refused if the OU ${what}`, async () => {
        await refuses(served().open({ DIRECTORY_GROUP_OU: groupOu }).check(requestFor('ou')), 'DirectoryRefused', why);
        await refuses(served().open({ DIRECTORY_GROUP_OU: groupOu }).ensure(requestFor('ou')), 'DirectoryRefused');
        assert.deepEqual(await served().find(nameFor('ou')), []);
      });
    }

    it('the account does not bind again with a refused password until its file changes', async () => {
      const passwordFile = join(served().folder, 'wrong');
      await writeFile(passwordFile, 'not-the-password');
      const directory = served().open({ DIRECTORY_PASSWORD_FILE: passwordFile });
      for (let attempt = 0; attempt < 3; attempt++) {
        await refuses(directory.check(requestFor('password')), 'DirectoryRefused', /password/);
      }
      const atOnce = [1, 2, 3].map(() => refuses(directory.ensure(requestFor('password')), 'DirectoryRefused'));
      await Promise.all(atOnce);
      assert.equal(served().front.count('bind'), 1);
      assert.match(directory.whyNot() ?? '', /DIRECTORY_PASSWORD_FILE/);

      await writeFile(passwordFile, SERVICE_ACCOUNT.password);
      assert.equal((await directory.ensure(requestFor('password'))).outcome, 'created');
      assert.equal(directory.whyNot(), undefined);
      assert.equal(served().front.count('bind'), 2);
    });

    it('the account binds once with a wrong password, however many attempts run at the same time', async () => {
      const passwordFile = join(served().folder, 'wrong-at-once');
      await writeFile(passwordFile, 'not-the-password');
      const directory = served().open({ DIRECTORY_PASSWORD_FILE: passwordFile });
      const attempts = [1, 2, 3, 4].map((i) => directory.check(requestFor(`at-once-${i}`)));
      await Promise.all(attempts.map((attempt) => refuses(attempt, 'DirectoryRefused')));
      assert.equal(served().front.count('bind'), 1);
    });

    it('the account is refused without a wait if its password file is a pipe', async () => {
      const passwordFile = join(served().folder, 'pipe');
      execFileSync('mkfifo', [passwordFile]);
      const directory = served().open({ DIRECTORY_PASSWORD_FILE: passwordFile });
      await refuses(
        directory.check(requestFor('pipe')),
        'DirectoryRefused',
        /DIRECTORY_PASSWORD_FILE .* can not be read/,
      );
    });

    it('the account binds with the current content of its password file', async () => {
      const passwordFile = join(served().folder, 'rotated');
      const directory = served().open({ DIRECTORY_PASSWORD_FILE: passwordFile });
      for (const end of ['', '\n', '\r\n']) {
        await writeFile(passwordFile, `${SERVICE_ACCOUNT.password}${end}`);
        await directory.check(requestFor('rotated'));
      }
      await writeFile(passwordFile, 'not-the-password');
      await utimes(passwordFile, new Date(), new Date(Date.now() + 5_000));
      await refuses(directory.check(requestFor('rotated')), 'DirectoryRefused', /password/);
    });

    for (const [why, data] of [
      ['disabled', '533'],
      ['locked', '775'],
    ]) {
      it(`the account may bind again with the same password after it was ${why}`, async () => {
        const message = `80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data ${data}, v1db1`;
        served().front.decide = (operation) =>
          operation === 'bind' && served().front.count('bind') === 1
            ? { code: RESULT.invalidCredentials, message }
            : undefined;
        const directory = served().open();
        await refuses(directory.check(requestFor(`is-${why}`)), 'DirectoryRefused', new RegExp(`data ${data}`));
        assert.equal(directory.whyNot(), undefined);
        assert.equal((await directory.check(requestFor(`is-${why}`))).outcome, 'would_create');
      });
    }

    it('the account may be given as a principal name, as a DN and with its domain', async () => {
      const [name] = SERVICE_ACCOUNT.user.split('@');
      for (const bindUser of [SERVICE_ACCOUNT.user, `CN=${name},${USERS}`, `CORP\\${name}`]) {
        assert.equal(
          (await served().open({ DIRECTORY_BIND_USER: bindUser }).check(requestFor('bound'))).outcome,
          'would_create',
        );
      }
    });

    it('the account does not bind without a password', async () => {
      const passwordFile = join(served().folder, 'empty');
      for (const make of [() => writeFile(passwordFile, '\n'), () => rm(passwordFile)]) {
        await make();
        const { message } = await refuses(
          served().open({ DIRECTORY_PASSWORD_FILE: passwordFile }).check(requestFor('empty')),
          'DirectoryRefused',
        );
        assert.match(message, /DIRECTORY_PASSWORD_FILE/);
        assert.equal(served().front.count('bind'), 0);
      }
    });

    it("the account's password is in no failure message", async () => {
      const failures = [
        await refuses(served().open({ DIRECTORY_GROUP_OU: USERS }).ensure(requestFor('secret')), 'DirectoryRefused'),
      ];
      // Even if the directory repeats it.
      for (const code of [RESULT.operationsError, RESULT.invalidCredentials]) {
        served().front.decide = (operation) =>
          operation === 'bind' ? { code, message: `not ${SERVICE_ACCOUNT.password}, data 52e` } : undefined;
        failures.push(await refuses(served().open().check(requestFor('secret')), 'DirectoryRefused'));
      }
      for (const { message, stack, cause } of failures) {
        const all = `${message}${stack}${JSON.stringify(cause)}${cause?.stack}`;
        assert.ok(!all.includes(SERVICE_ACCOUNT.password), all);
      }
    });

    it("the account's password is sent only in a bind", async () => {
      await served().open().ensure(requestFor('bytes'));
      assert.equal(await readFile(served().passwordFile, 'utf8'), SERVICE_ACCOUNT.password);
      for (const { operation, bytes } of served().front.sent) {
        assert.equal(bytes.includes(SERVICE_ACCOUNT.password), operation === 'bind');
      }
    });
  });
}

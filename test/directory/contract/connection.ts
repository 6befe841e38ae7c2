/** The connection to the directory: TLS, and answers of a domain controller that are not entries. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { createAuthority } from '../../../dev/servers/certificates.ts';
import { RESULT } from '../../../dev/simulated-directory/messages.ts';
import { startLdapFront } from '../../support/ldap-front.ts';
import { DOMAIN, nameFor, refuses, requestFor, type DirectoryUnderTest } from '../directory-under-test.ts';

const HOUR_MS = 60 * 60 * 1000;
/** https://www.rfc-editor.org/rfc/rfc4511#appendix-A.1 */
const BUSY = 51;
const UNAVAILABLE = 52;

export function holdConnection(served: () => DirectoryUnderTest): void {
  describe('the connection', () => {
    const through = async (certificate: Parameters<typeof startLdapFront>[1]) =>
      startLdapFront(served().front.url, certificate);

    it('the connection is refused if another authority signed the certificate, and no password is sent', async (t) => {
      const other = createAuthority('Directory test CA');
      const front = await through(other.issue('directory', ['127.0.0.1']));
      t.after(() => front.stop());
      const { url } = front;
      await refuses(
        served().open({ DIRECTORY_URL: url }).check(requestFor('tls')),
        'DirectoryUnavailable',
        /certificate|signature/i,
      );
      await refuses(
        served().open({ DIRECTORY_URL: url }).ensure(requestFor('tls')),
        'DirectoryUnavailable',
        /certificate|signature/i,
      );
      assert.equal(front.sent.length, 0);
    });

    it('the connection is refused if DIRECTORY_CA_FILE holds another authority', async () => {
      const caFile = join(served().folder, 'other-ca.pem');
      await writeFile(caFile, createAuthority('Other CA').cert);
      await refuses(
        served().open({ DIRECTORY_CA_FILE: caFile }).check(requestFor('tls')),
        'DirectoryUnavailable',
        /certificate/i,
      );
      assert.equal(served().front.sent.length, 0);
    });

    it('the connection is refused if the certificate has expired', async (t) => {
      const front = await through(served().authority.issue('directory', ['127.0.0.1'], Date.now() - HOUR_MS));
      t.after(() => front.stop());
      await refuses(
        served().open({ DIRECTORY_URL: front.url }).ensure(requestFor('tls')),
        'DirectoryUnavailable',
        /expired/,
      );
      assert.equal(front.sent.length, 0);
    });

    it('the connection is refused if the certificate is for another name', async (t) => {
      const front = await through(served().authority.issue('directory', ['dc9.corp.example.com']));
      t.after(() => front.stop());
      await refuses(
        served().open({ DIRECTORY_URL: front.url }).ensure(requestFor('tls')),
        'DirectoryUnavailable',
        /altnames/,
      );
      assert.equal(front.sent.length, 0);
    });

    it("the connection fails for the time being if the directory can't be reached", async () => {
      await served().front.close();
      try {
        const { nonRetryable } = await refuses(served().open().ensure(requestFor('away')), 'DirectoryUnavailable');
        assert.equal(nonRetryable, false);
      } finally {
        await served().front.open();
      }
      assert.equal((await served().open().ensure(requestFor('away'))).outcome, 'created');
    });

    for (const operation of ['bind', 'search', 'add'] as const) {
      for (const code of [BUSY, UNAVAILABLE]) {
        it(`the connection may be tried again after result ${code} to a ${operation}`, async () => {
          served().front.decide = (one) =>
            one === operation && served().front.count(operation) === 1 ? { code, message: 'later' } : undefined;
          const directory = served().open();
          const request = requestFor(`code-${operation}-${code}`);
          const { nonRetryable } = await refuses(directory.ensure(request), 'DirectoryUnavailable');
          assert.equal(nonRetryable, false);
          assert.equal((await directory.ensure(request)).outcome, 'created');
        });
      }

      it(`the connection follows no referral in answer to a ${operation}`, async (t) => {
        const elsewhere = await through(served().authority.issue('elsewhere', ['127.0.0.1']));
        t.after(() => elsewhere.stop());
        served().front.decide = (one) =>
          one === operation ? { code: RESULT.referral, referrals: [`${elsewhere.url}/${DOMAIN}`] } : undefined;
        await refuses(served().open().ensure(requestFor('referral')), 'DirectoryRefused', /refers to another server/);
        assert.equal(elsewhere.sent.length, 0);
        assert.deepEqual(await served().find(nameFor('referral')), []);
      });
    }

    it('the connection ends with each attempt', async () => {
      await served().open().check(requestFor('ends'));
      assert.equal(served().front.count('bind'), 1);
      await served().open().ensure(requestFor('ends'));
      assert.equal(served().front.count('bind'), 2);
    });
  });
}

/** An add with an unknown outcome. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ApplicationFailure } from '@temporalio/common';
import type { DirectoryServer } from '../../../src/domain/directory-group.ts';
import type { LdapFault } from '../../support/ldap-front.ts';
import { until } from '../../support/until.ts';
import { nameFor, refuses, requestFor, type DirectoryUnderTest } from '../directory-under-test.ts';

export function holdUnansweredAdd(served: () => DirectoryUnderTest): void {
  describe('an add that was sent and not answered', () => {
    const finds: Record<string, { fault: LdapFault; adds: number; outcome: string }> = {
      'was taken, and the connection cut': { fault: 'cut', adds: 1, outcome: 'created' },
      'was taken, and nothing more heard': { fault: 'silence', adds: 1, outcome: 'created' },
      'was not taken': { fault: 'cut-before', adds: 2, outcome: 'created' },
      'is taken after the next': { fault: 'late', adds: 2, outcome: 'created' },
    };
    for (const [what, { fault, adds, outcome }] of Object.entries(finds)) {
      it(`an add that was sent and not answered is looked for on the server that it was sent to: it ${what}`, async () => {
        const role = typeof fault === 'string' ? fault : 'code';
        served().front.decide = (operation) =>
          operation === 'add' && served().front.count('add') === 1 ? fault : undefined;
        const asked: DirectoryServer[] = [];
        // It also covers everything before the add, so it must be long enough for that even in the tests that let it run out.
        const isSilent = fault === 'silence' || fault === 'late';
        const directory = served().open({ DIRECTORY_TIMEOUT_SECONDS: isSilent ? '3' : '30' });
        const beforeAdd = async (server: DirectoryServer) => void asked.push(server);
        const failure = await refuses(directory.ensure(requestFor(role), beforeAdd), 'DirectoryGroupUnknown');
        assert.equal(failure.nonRetryable, false);
        assert.deepEqual(sentToOf(failure), asked[0]);

        const group = await directory.ensure({ ...requestFor(role), sent_to: sentToOf(failure) });
        if (fault === 'late') await until('the late add was answered', () => served().front.lateAnswers === 1);
        assert.equal(group.outcome, outcome);
        assert.equal(served().front.count('add'), adds);
        const found = await served().find(nameFor(role));
        assert.deepEqual(
          found.map(({ dn }) => dn),
          [group.dn],
        );
      });
    }

    it('an add that was sent and not answered is never sent to another server, and the failure says so', async () => {
      const sent_to = { name: 'dc9.corp.example.com', address: '127.0.0.1' };
      const { nonRetryable } = await refuses(
        served()
          .open()
          .ensure({ ...requestFor('other-server'), sent_to }),
        'DirectoryGroupUnknown',
        /dc9/,
      );
      assert.equal(nonRetryable, false);
      assert.equal(served().front.count('bind'), 0);
      assert.equal(served().front.count('add'), 0);
    });

    it('an add that was answered is reported as unknown if the group could not be read back', async () => {
      served().front.decide = (operation) =>
        operation === 'search' && served().front.count('add') === 1 ? 'cut-before' : undefined;
      const directory = served().open();
      const failure = await refuses(directory.ensure(requestFor('read-back')), 'DirectoryGroupUnknown');
      served().front.decide = () => undefined;
      const group = await directory.ensure({ ...requestFor('read-back'), sent_to: sentToOf(failure) });
      assert.equal(group.outcome, 'created');
      assert.equal(served().front.count('add'), 1);
    });

    it("an add is not sent if the caller can't record it first", async () => {
      const beforeAdd = () => Promise.reject(new Error('cancelled'));
      await assert.rejects(served().open().ensure(requestFor('noted'), beforeAdd), /cancelled/);
      assert.equal(served().front.count('add'), 0);
    });
  });
}

function sentToOf({ details }: ApplicationFailure): DirectoryServer {
  assert.ok(details?.length === 1, 'it does not say which server an add was sent to');
  return details[0] as DirectoryServer;
}

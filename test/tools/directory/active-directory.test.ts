/** Groups in a real Active Directory, and in a domain of two controllers that replicate only on request. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Attribute, Change, Client } from 'ldapts';
import type { DirectoryServer } from '../../../src/domain/directory-group.ts';
import { createAuthority } from '../../../dev/servers/certificates.ts';
import type { RoleBuildInput } from '../../../src/domain/role-build-input.ts';
import { ADMINISTRATOR } from '../../directory/accounts.ts';
import { holdContract } from '../../directory/contract.ts';
import {
  ACCOUNT,
  GROUP_OU,
  nameFor,
  refuses,
  requestFor,
  startDirectoryUnderTest,
  type DirectoryUnderTest,
} from '../../directory/directory-under-test.ts';
import { startLdapFront, type LdapFront } from '../../support/ldap-front.ts';
import { inputFor, startTestStack, until, type TestStack } from '../../support/stack.ts';
import { joinDomain, startDomain, type DomainController } from './samba.ts';

const authority = createAuthority('Directory test CA');
let first: DomainController;
before(async () => {
  first = await startDomain('127.0.53.1', authority);
});
after(() => first.remove());
const serve = async () => ({ url: first.url, stop: async () => {} });

holdContract("Samba's Active Directory", serve, authority);

describe('a domain of two controllers', () => {
  let served: DirectoryUnderTest;
  let second: DomainController;
  let secondFront: LdapFront;
  before(async () => {
    second = await joinDomain(first, '127.0.53.2', authority);
    served = await startDirectoryUnderTest(serve, authority);
    secondFront = await startLdapFront(second.url, authority.issue('dc2', ['127.0.0.1']));
  });
  after(async () => {
    await secondFront.stop();
    await served.stop();
    await second.remove();
  });

  const onFirst = () => served.open({ DIRECTORY_URL: first.url });
  const onSecond = () => served.open({ DIRECTORY_URL: second.url });
  const FIRST: DirectoryServer = { name: 'dc1.corp.example.com', address: '127.0.53.1' };

  it('a domain of two controllers gets a group once: the other controller adopts it after replication', async () => {
    const created = await onFirst().ensure(requestFor('replicated'));
    await second.replicateFrom(first);
    const adopted = await onSecond().ensure(requestFor('replicated', 'job-2'));
    assert.deepEqual(adopted, { ...created, outcome: 'adopted' });
  });

  it('a domain of two controllers is searched on the controller that got the add, whichever one the name resolves to', async () => {
    const sentTo: DirectoryServer[] = [];
    const beforeAdd = async (server: DirectoryServer) => void sentTo.push(server);
    const created = await onFirst().ensure(requestFor('sent'), beforeAdd);
    assert.deepEqual(sentTo, [FIRST]);
    assert.deepEqual(await onSecond().ensure({ ...requestFor('sent'), sent_to: sentTo[0] }), created);
    await second.replicateFrom(first);
    assert.equal((await onSecond().check(requestFor('sent'))).outcome, 'would_adopt');
  });

  it('a domain of two controllers never gets a second add on the other controller, however long the first is away', async () => {
    await first.stop();
    try {
      for (let attempt = 0; attempt < 3; attempt++) {
        const failure = await refuses(
          served.open({ DIRECTORY_URL: secondFront.url }).ensure({ ...requestFor('away'), sent_to: FIRST }),
          'DirectoryGroupUnknown',
        );
        assert.equal(failure.nonRetryable, false);
        assert.deepEqual(failure.details, [FIRST]);
      }
      assert.deepEqual(secondFront.sent, []);
    } finally {
      await first.start();
    }
    const created = await onSecond().ensure({ ...requestFor('away'), sent_to: FIRST });
    assert.equal(created.outcome, 'created');
    await first.replicateFrom(second);
    await second.replicateFrom(first);
    assert.equal((await onSecond().ensure(requestFor('away', 'job-2'))).object_guid, created.object_guid);
  });

  it('a domain of two controllers has two groups of a name if each controller took an add, and then neither is adopted', async () => {
    await onFirst().ensure(requestFor('twice', 'job-1'));
    await onSecond().ensure(requestFor('twice', 'job-2'));
    await second.replicateFrom(first);
    await first.replicateFrom(second);
    for (const directory of [onFirst(), onSecond()]) {
      const { message } = await refuses(directory.ensure(requestFor('twice', 'job-3')), 'DirectoryGroupConflict');
      assert.match(message, /CNF:/);
      assert.equal(message.match(/objectGUID/g)?.length, 2, message);
    }
    assert.equal((await served.find(nameFor('twice'))).length, 2);
    const { groups } = await onSecond().survey();
    const both = groups.filter(({ name }) => name === nameFor('twice'));
    assert.equal(both.length, 2);
    assert.equal(both.filter(({ dn }) => dn.includes(String.raw`\0ACNF:`)).length, 1);
  });
});

describe("builds with a group in Samba's Active Directory", () => {
  let served: DirectoryUnderTest;
  let stack: TestStack;
  let settings: Record<string, string>;
  before(async () => {
    served = await startDirectoryUnderTest(serve, authority);
    stack = await startTestStack();
    settings = { ...served.environment, DIRECTORY_TIMEOUT_SECONDS: '30' };
  });
  after(async () => {
    await stack.stop();
    await served.stop();
  });

  const inputOf = (name: string) => inputFor(stack, name, { polls: 0 }, { directory_group: true });
  /** Returns the group as in both records and in the directory. */
  const truthOf = async (input: RoleBuildInput) => {
    const { status, history } = await stack.records(input);
    const entries = await served.find(nameFor(input.build_body.custom_role_name));
    assert.equal(entries.length, 1);
    assert.deepEqual(status?.['directory_group'], history?.['directory_group']);
    assert.equal(status?.['directory_group']?.M?.['dn']?.S, entries[0]?.dn);
    return status?.['directory_group']?.M?.['outcome']?.S;
  };

  it("builds with a group in Samba's Active Directory create it once even if the worker dies between the add and its answer", async () => {
    const worker = await stack.startWorker({ settings });
    served.front.decide = (operation) => (operation === 'add' ? 'silence' : undefined);
    const input = inputOf('killed');
    await stack.cli(['start', '--input', '-'], { stdin: JSON.stringify(input) });
    await until('the group is there', async () => (await served.find(nameFor('killed'))).length === 1);
    await worker.kill();
    await stack.startWorker({ settings });
    const watched = await stack.cli(['watch', ACCOUNT, input.ddb_composite_sort_key]);
    assert.equal(watched.code, 0, watched.stderr);
    assert.equal(served.front.count('add'), 1);
    assert.equal(await truthOf(input), 'created');
    served.front.decide = () => undefined;
  });

  it("builds with a group in Samba's Active Directory record it, and doctor finds later changes of it", async () => {
    const inputs = ['kept', 'renamed', 'recased', 'gone'].map(inputOf);
    for (const input of inputs) {
      const { code, stderr } = await stack.build(input);
      assert.equal(code, 0, stderr);
      assert.equal(await truthOf(input), 'created');
    }
    const administrator = new Client({ url: first.url, tlsOptions: { ca: authority.cert } });
    await administrator.bind(ADMINISTRATOR.user, ADMINISTRATOR.password);
    const dnOf = (role: string) => `CN=${nameFor(role)},${GROUP_OU}`;
    await administrator.del(dnOf('gone'));
    const renamed = new Attribute({ type: 'sAMAccountName', values: ['another'] });
    await administrator.modify(dnOf('renamed'), new Change({ operation: 'replace', modification: renamed }));
    await administrator.modifyDN(dnOf('recased'), `CN=${nameFor('Recased')}`);
    await administrator.unbind();

    const { code, stdout } = await stack.cli(['doctor', '--directory', '--json'], { settings });
    assert.equal(code, 1);
    for (const [role, finding] of [
      ['renamed', 'DirectoryGroupRenamed'],
      ['recased', 'DirectoryGroupRenamed'],
      ['gone', 'DirectoryGroupGone'],
      ['kept', undefined],
    ] as const) {
      const line = stdout.split('\n').find((one) => one.includes(`iam_role#${role}"`));
      assert.equal(line === undefined ? undefined : (JSON.parse(line) as { finding: string }).finding, finding, stdout);
    }
  });
});

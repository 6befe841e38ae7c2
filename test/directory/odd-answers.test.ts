/** A directory with answers that no domain controller should give. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import tls from 'node:tls';
import { ProtocolOperation } from 'ldapts';
import { createAuthority } from '../../dev/servers/certificates.ts';
import { entryMessage, readMessages, RESULT, resultMessage } from '../../dev/simulated-directory/messages.ts';
import { DOMAIN, GROUP_OU } from '../../dev/simulated-directory/server.ts';
import { readDirectorySettings } from '../../src/config/settings.ts';
import { Directory } from '../../src/directory/directory.ts';
import { nameFor, refuses, requestFor } from './directory-under-test.ts';

type Attributes = Record<string, (string | Buffer)[]>;
type Answer = (id: number, connection: Socket) => unknown;
/** Replaces the valid answer to a search for the root, the rights in the OU or groups, or to an add. */
type Answers = Partial<Record<'root' | 'rights' | 'groups' | 'add', Answer>>;

const REQUEST = requestFor('odd');
const NAME = nameFor('odd');
const DN = `CN=${NAME},${GROUP_OU}`;
const ROOT = { dnsHostName: ['dc1.corp.example.com'], defaultNamingContext: [DOMAIN] };
const RIGHTS = { allowedChildClassesEffective: ['group'] };
const GROUP = {
  sAMAccountName: [NAME],
  cn: [NAME],
  objectClass: ['top', 'group'],
  groupType: ['-2147483646'],
  objectGUID: [Buffer.alloc(16, 0xf1)],
};
const GUID = 'f1f1f1f1-f1f1-f1f1-f1f1-f1f1f1f1f1f1';
const authority = createAuthority('Odd CA');

const entry = (id: number, dn: string, attributes: Attributes) =>
  entryMessage(
    id,
    dn,
    Object.entries(attributes).map(([name, values]) => [name, values.map((value) => Buffer.from(value as string))]),
  );
const done = (id: number, nextPage?: string) =>
  resultMessage(id, ProtocolOperation.LDAP_RES_SEARCH, { code: 0 }, nextPage);
const answerWith = (dn: string, attributes: Attributes) => (id: number) =>
  Buffer.concat([entry(id, dn, attributes), done(id)]);

async function open(t: TestContext, answers: Answers): Promise<Directory> {
  const good = {
    root: answerWith('', ROOT),
    rights: answerWith(GROUP_OU, RIGHTS),
    groups: answerWith(DN, GROUP),
    add: (id: number) => resultMessage(id, ProtocolOperation.LDAP_RES_ADD, { code: 0 }),
  };
  const server = tls.createServer({ ...authority.issue('odd', ['127.0.0.1']), noDelay: true }, (connection) => {
    t.after(() => connection.destroy());
    connection.on('error', () => connection.destroy());
    void serve(connection).catch(() => connection.destroy());
  });
  async function serve(connection: Socket): Promise<void> {
    for await (const { id, operation, bytes } of readMessages(connection)) {
      if (operation === ProtocolOperation.LDAP_REQ_BIND) {
        connection.write(resultMessage(id, ProtocolOperation.LDAP_RES_BIND, { code: 0 }));
      } else {
        const asked = ['dnsHostName', 'allowedChild'].findIndex((name) => bytes.includes(name));
        const isAdd = operation === ProtocolOperation.LDAP_REQ_ADD;
        const what = isAdd ? 'add' : ((['root', 'rights'] as const)[asked] ?? 'groups');
        const answer = (answers[what] ?? good[what])(id, connection);
        if (Buffer.isBuffer(answer)) connection.write(answer);
      }
    }
  }
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const folder = mkdtempSync(join(tmpdir(), 'odd-answers-'));
  t.after(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });
  writeFileSync(join(folder, 'ca.pem'), authority.cert);
  writeFileSync(join(folder, 'password'), 'example-not-a-password');
  const settings = readDirectorySettings({
    DIRECTORY_URL: `ldaps://127.0.0.1:${(server.address() as AddressInfo).port}`,
    DIRECTORY_CA_FILE: join(folder, 'ca.pem'),
    DIRECTORY_BIND_USER: 'svc-iam@corp.example.com',
    DIRECTORY_PASSWORD_FILE: join(folder, 'password'),
    DIRECTORY_GROUP_OU: GROUP_OU,
    DIRECTORY_TIMEOUT_SECONDS: '30',
  });
  assert.ok(settings);
  return new Directory(settings);
}

describe('a directory that answers oddly', () => {
  /** @param part an entry's content, from its DN on */
  const cut = (...part: number[]) => {
    return (id: number) => Buffer.from([0x30, part.length + 5, 0x02, 1, id, 0x64, part.length, ...part]);
  };
  for (const [what, answer] of Object.entries({
    'a list of attributes longer than the message': cut(0x04, 0, 0x30, 0x20),
    'an entry without a list of attributes': cut(0x04, 8, ...Buffer.from('CN=group')),
    'an attribute without its whole length': cut(0x04, 0, 0x30, 2, 0x04, 0x84),
    'an attribute in what is no list': cut(0x04, 0, 0x04, 2, 0x04, 0x84),
    'a value of a negative length': cut(
      0x04,
      0,
      0x30,
      13,
      0x30,
      11,
      0x04,
      1,
      0x61,
      0x31,
      6,
      0x04,
      0x84,
      0xff,
      0xff,
      0xff,
      0xfa,
    ),
  })) {
    it(`a directory that answers oddly is refused for ${what}`, async (t) => {
      const directory = await open(t, { root: answer });
      const { nonRetryable } = await refuses(directory.check(REQUEST), 'DirectoryRefused', /can not be read/);
      assert.equal(nonRetryable, true);
    });
  }

  it('a directory that answers oddly to an add leaves its outcome unknown, and the failure names the server', async (t) => {
    const directory = await open(t, { groups: (id) => done(id), add: cut(0x04, 0, 0x30, 0x20) });
    const { details } = await refuses(directory.ensure(REQUEST), 'DirectoryGroupUnknown', /can not be read/);
    assert.deepEqual(details, [{ name: 'dc1.corp.example.com', address: '127.0.0.1' }]);
  });

  const flood = (connection: Socket, bytes: Buffer): unknown =>
    connection.destroyed || connection.write(bytes, () => flood(connection, bytes));
  for (const [what, answer] of Object.entries<Answer>({
    'entries without end': (id, connection) => flood(connection, entry(id, DN, { info: ['x'.repeat(60_000)] })),
    'a message without end': (_, connection) => {
      connection.write(Buffer.from([0x30, 0x84, 0x7f, 0xff, 0xff, 0xff]));
      flood(connection, Buffer.alloc(65_536));
    },
  })) {
    it(`a directory that answers oddly is refused for ${what}`, async (t) => {
      const directory = await open(t, { root: answer });
      await refuses(directory.check(REQUEST), 'DirectoryRefused', /over 1048576 bytes/);
    });
  }

  it('a directory that answers oddly has only the beginning of a long text quoted', async (t) => {
    const message = 'no '.repeat(300_000);
    const root = (id: number) =>
      resultMessage(id, ProtocolOperation.LDAP_RES_SEARCH, { code: RESULT.protocolError, message });
    const failure = await refuses((await open(t, { root })).check(REQUEST), 'DirectoryRefused', /no no.*…$/);
    assert.ok(
      JSON.stringify([failure.message, failure.cause?.message, failure.stack, failure.cause?.stack]).length < 50_000,
    );
  });

  const long = 'x'.repeat(450_000);
  for (const [attribute, answers] of Object.entries<Answers>({
    dnsHostName: { root: answerWith('', { ...ROOT, dnsHostName: [long] }) },
    dn: { groups: answerWith(`CN=${NAME},OU=${long},${GROUP_OU}`, GROUP) },
  })) {
    it(`a directory that answers oddly is refused for a ${attribute} that no record could hold`, async (t) => {
      const directory = await open(t, answers);
      for (const method of ['check', 'ensure'] as const) {
        await refuses(directory[method](REQUEST), 'DirectoryRefused', new RegExp(`: ${attribute} has 450`));
      }
    });
  }

  it('a directory that answers oddly may spell attributes and classes in upper or lower case', async (t) => {
    for (const letters of ['toLowerCase', 'toUpperCase'] as const) {
      const respelled = (attributes: Attributes) =>
        Object.fromEntries(Object.entries(attributes).map(([name, values]) => [name[letters](), values]));
      const directory = await open(t, {
        root: answerWith('', respelled(ROOT)),
        rights: answerWith(GROUP_OU, respelled({ allowedChildClassesEffective: ['user', 'Group'] })),
        groups: answerWith(DN, respelled({ ...GROUP, objectClass: ['top', 'Group'] })),
      });
      const { outcome, object_guid } = await directory.check(REQUEST);
      assert.deepEqual([outcome, object_guid], ['would_adopt', GUID]);
      // Bytes that are also valid text.
      const guid = [Buffer.from('0123456789abcdef')];
      const other = await open(t, { groups: answerWith(DN, respelled({ ...GROUP, objectGUID: guid })) });
      assert.equal((await other.ensure(REQUEST)).object_guid, '33323130-3534-3736-3839-616263646566');
    }
  });

  it('a directory that answers oddly is refused for a result of another operation', async (t) => {
    const root = (id: number) => resultMessage(id, ProtocolOperation.LDAP_RES_ADD, { code: 0 });
    await refuses((await open(t, { root })).check(REQUEST), 'DirectoryRefused', /can not be read/);
  });

  for (const [what, objectGUID] of Object.entries({
    none: [],
    'an empty': [Buffer.alloc(0)],
    'a short': [Buffer.from([1, 2, 3, 4])],
    'a long': [Buffer.alloc(20, 7)],
    'a second': [Buffer.alloc(16, 1), Buffer.alloc(16, 2)],
  })) {
    it(`a directory that answers oddly is refused for ${what} objectGUID`, async (t) => {
      const directory = await open(t, { groups: answerWith(DN, { ...GROUP, objectGUID }) });
      for (const method of ['check', 'ensure'] as const) {
        await refuses(directory[method](REQUEST), 'DirectoryRefused', /objectGUID of CN=AWS-.* is not one value/);
      }
    });
  }
});

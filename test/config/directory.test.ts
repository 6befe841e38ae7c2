import assert from 'node:assert/strict';
import { it } from 'node:test';
import { readDirectorySettings, SettingsError, type Environment } from '../../src/config/settings.ts';

const REQUIRED = {
  DIRECTORY_URL: 'ldaps://dc1.corp.example.com',
  DIRECTORY_BIND_USER: 'svc@corp.example.com',
  DIRECTORY_PASSWORD_FILE: '/run/secrets/password',
  DIRECTORY_GROUP_OU: 'OU=AWS Roles,DC=corp,DC=example,DC=com',
};

function faultsOf(env: Environment): readonly string[] {
  try {
    readDirectorySettings(env);
  } catch (err) {
    assert.ok(err instanceof SettingsError);
    return err.faults;
  }
  return [];
}

it('there is no directory if none of its settings is set', () => {
  assert.equal(readDirectorySettings({}), undefined);
});

it('a directory has a default name of groups and a limit', () => {
  assert.deepEqual(readDirectorySettings(REQUIRED), {
    ...REQUIRED,
    DIRECTORY_CA_FILE: undefined,
    DIRECTORY_GROUP_OU: [
      ['OU', 'AWS Roles'],
      ['DC', 'corp'],
      ['DC', 'example'],
      ['DC', 'com'],
    ],
    DIRECTORY_GROUP_NAME: 'AWS-{account_id}-{role}',
    DIRECTORY_TIMEOUT_SECONDS: 10,
  });
  assert.equal(readDirectorySettings({ ...REQUIRED, DIRECTORY_CA_FILE: '/ca.pem' })?.DIRECTORY_CA_FILE, '/ca.pem');
});

it('the settings of a directory are required together', () => {
  for (const name of Object.keys(REQUIRED)) {
    const [fault = '', ...more] = faultsOf({ ...REQUIRED, [name]: '' });
    assert.ok(fault.startsWith(`${name} must be set too: `), fault);
    assert.deepEqual(more, []);
  }
  assert.equal(faultsOf({ DIRECTORY_CA_FILE: '/ca.pem' }).length, 4);
});

for (const [name, values] of [
  [
    'DIRECTORY_URL',
    ['ldap://dc1', 'ldaps://u:p@dc1', 'ldaps://dc1/DC=x', 'ldaps://dc1 ldaps://dc2', 'dc1', 'ldaps://'],
  ],
  ['DIRECTORY_GROUP_OU', ['AWS', 'OU=', 'OU=a,,DC=b', 'OU="a",DC=b', 'OU=a+CN=b,DC=c', 'OU=a;DC=b', 'OU=a,']],
  [
    'DIRECTORY_GROUP_NAME',
    ['AWS', '{role}', '{account_id}-{role}-{role}', 'A,{account_id}{role}', '{account_id}{role}{x}'],
  ],
  ['DIRECTORY_TIMEOUT_SECONDS', ['0', '31', 'ten']],
] as const) {
  it(`${name} is refused by name if its value is invalid`, () => {
    for (const value of values) {
      const [fault = 'none', ...more] = faultsOf({ ...REQUIRED, [name]: value });
      assert.ok(fault.startsWith(`${name} must `), `${value}: ${fault}`);
      assert.deepEqual(more, []);
    }
  });
}

it('a directory accepts every spelling that a domain may have', () => {
  for (const more of [
    { DIRECTORY_URL: 'ldaps://[::1]:3636/' },
    { DIRECTORY_URL: 'LDAPS://DC1:636' },
    { DIRECTORY_GROUP_OU: 'ou=Rollen\\, AWS , dc=corp' },
    { DIRECTORY_GROUP_OU: 'OU=Zürich,DC=corp' },
    { DIRECTORY_GROUP_NAME: '{role} in {account_id}' },
  ]) {
    assert.deepEqual(faultsOf({ ...REQUIRED, ...more }), [], JSON.stringify(more));
  }
});

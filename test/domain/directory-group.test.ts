import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isDirectoryGroup, isDirectoryServer } from '../../src/domain/directory-group.ts';

describe('a group from outside', () => {
  const group = { name: 'AWS-123456789012-reader', dn: 'CN=x', object_guid: 'g', outcome: 'created' };

  it('a group from outside is accepted with a name, a DN, an outcome of builds, and perhaps a GUID', () => {
    assert.ok(isDirectoryGroup(group));
    for (const outcome of ['adopted', 'would_create', 'would_adopt'])
      assert.ok(isDirectoryGroup({ ...group, outcome }));
    assert.ok(isDirectoryGroup({ name: 'n', dn: 'd', outcome: 'would_create' }));
  });

  it('a group from outside is refused otherwise', () => {
    const changes = [
      { name: 1 },
      { name: 'half \uD83D' },
      { name: 'n'.repeat(2_049) },
      { dn: undefined },
      { dn: 'd'.repeat(2_049) },
      { object_guid: 7 },
      { object_guid: 'g'.repeat(2_049) },
      { outcome: 'deleted' },
      { outcome: undefined },
    ];
    for (const change of changes) assert.ok(!isDirectoryGroup({ ...group, ...change }), JSON.stringify(change));
    for (const value of [undefined, null, 'created', [], 1]) assert.ok(!isDirectoryGroup(value));
  });
});

describe('a domain controller from outside', () => {
  it('a domain controller from outside has a name and an IP address', () => {
    for (const address of [
      '127.0.0.1',
      '10.1.2.3',
      '::1',
      '2001:db8::a',
      '2001:DB8::A',
      '::ffff:10.1.2.3',
      'fe80::1%eth0',
    ]) {
      assert.ok(isDirectoryServer({ name: 'dc1.corp.example.com', address }), address);
    }
  });

  it('a domain controller from outside is refused with a host name for an address, which could lead anywhere', () => {
    for (const address of [
      'dc2.corp.example.com',
      'localhost',
      'dead.beef',
      '10.1.2',
      '10.1.2.3:636',
      '',
      undefined,
      ['10.1.2.3'],
    ]) {
      assert.ok(!isDirectoryServer({ name: 'dc1.corp.example.com', address }), String(address));
    }
    assert.ok(!isDirectoryServer({ address: '10.1.2.3' }));
    assert.ok(!isDirectoryServer({ name: 'd'.repeat(2_049), address: '10.1.2.3' }));
    assert.ok(!isDirectoryServer({ name: 'dc1.corp.example.com', address: `::1%${'e'.repeat(2_049)}` }));
  });
});

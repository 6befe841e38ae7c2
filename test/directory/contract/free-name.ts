/** A name that no object has. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GROUP_OU, GROUP_TYPE, nameFor, requestFor, type DirectoryUnderTest } from '../directory-under-test.ts';

const GUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;

export function holdFreeName(served: () => DirectoryUnderTest): void {
  describe('a name that is free', () => {
    it('a name that is free is reported as free, and nothing is written', async () => {
      const { outcome, dn, ...rest } = await served().open().check(requestFor('free'));
      assert.equal(outcome, 'would_create');
      assert.equal(dn.toLowerCase(), `cn=${nameFor('free')},${GROUP_OU}`.toLowerCase());
      assert.deepEqual(rest, { name: nameFor('free') });
      assert.equal(served().front.count('add'), 0);
      assert.deepEqual(await served().find(nameFor('free')), []);
    });

    it('a name that is free becomes a global security group without members, marked by its request and job', async () => {
      const { object_guid, dn, ...rest } = await served().open().ensure(requestFor('created'));
      assert.deepEqual(rest, { name: nameFor('created'), outcome: 'created' });
      assert.match(object_guid ?? '', GUID);
      const [entry, ...others] = await served().find(nameFor('created'));
      assert.ok(entry !== undefined && others.length === 0);
      assert.equal(entry.dn, dn);
      assert.equal(dn, `CN=${nameFor('created')},${GROUP_OU}`);
      assert.equal(entry['cn'], nameFor('created'));
      assert.equal(entry['sAMAccountName'], nameFor('created'));
      assert.equal(entry['groupType'], GROUP_TYPE.global);
      assert.equal(entry['info'], 'iam-orchestrator request=request-created job=job-created');
      assert.equal(entry['member'], undefined);
      assert.equal(guidText(entry['objectGUID'] as Buffer), object_guid);
      const [add] = served().front.sent.filter(({ operation }) => operation === 'add');
      assert.ok(add !== undefined && !add.bytes.includes('member'));
    });

    it('a name that is free is created in an OU that is spelled in another case or with escapes', async () => {
      const escaped = String.raw`OU=Comma\, plus\+ and \"quotes\",${GROUP_OU}`;
      await served().add(escaped, { objectClass: ['top', 'organizationalUnit'] });
      for (const [role, groupOu, parent] of [
        ['spelled', GROUP_OU.toLowerCase().replaceAll(',', ' , '), GROUP_OU],
        ['escaped', escaped, escaped],
      ] as const) {
        const created = await served().open({ DIRECTORY_GROUP_OU: groupOu }).ensure(requestFor(role));
        assert.equal(created.outcome, 'created');
        const [entry] = await served().find(nameFor(role));
        assert.equal(created.dn, entry?.dn);
        assert.equal(created.dn.toLowerCase(), `CN=${nameFor(role)},${parent}`.toLowerCase());
        assert.equal(
          (await served().open({ DIRECTORY_GROUP_OU: groupOu }).check(requestFor(role))).outcome,
          'would_adopt',
        );
      }
    });

    it('a name that is free counts as created for the same job again, and as adopted for another', async () => {
      const first = await served().open().ensure(requestFor('again'));
      assert.deepEqual(await served().open().ensure(requestFor('again')), first);
      assert.deepEqual(await served().open().ensure(requestFor('again', 'job-2')), { ...first, outcome: 'adopted' });
      assert.equal(served().front.count('add'), 1);
    });

    it('a name that is free is created in an OU whose name has what a DN escapes', async () => {
      for (const [i, ou] of ['Rollen\\, AWS', 'Größe \\+ 1', '\\#1'].entries()) {
        const parent = `OU=${ou},${GROUP_OU}`;
        await served().add(parent, { objectClass: ['top', 'organizationalUnit'] });
        const directory = served().open({ DIRECTORY_GROUP_OU: parent });
        assert.equal((await directory.check(requestFor(`escaped-${i}`))).outcome, 'would_create');
        const { dn, outcome } = await directory.ensure(requestFor(`escaped-${i}`));
        assert.equal(outcome, 'created');
        const [entry] = await served().find(nameFor(`escaped-${i}`));
        assert.equal(dn, entry?.dn);
        const { groups } = await directory.survey();
        assert.deepEqual(
          groups.map(({ name }) => name),
          [nameFor(`escaped-${i}`)],
        );
      }
    });

    it('a name that is free is created once for four requests at once', async () => {
      const jobs = ['job-1', 'job-2', 'job-3', 'job-4'];
      const groups = await Promise.all(jobs.map((job) => served().open().ensure(requestFor('four', job))));
      const outcomes = groups.map(({ outcome }) => outcome).sort();
      assert.deepEqual(outcomes, ['adopted', 'adopted', 'adopted', 'created']);
      assert.equal(new Set(groups.map(({ object_guid }) => object_guid)).size, 1);
      assert.equal((await served().find(nameFor('four'))).length, 1);
    });

    it('a name that is free is created once when four attempts of one job are made at once', async () => {
      const groups = await Promise.all(
        [1, 2, 3, 4].map(() =>
          served()
            .open()
            .ensure({ ...requestFor('attempts'), job_ids: ['job-1'] }),
        ),
      );
      assert.deepEqual([...new Set(groups.map(({ outcome }) => outcome))], ['created']);
      assert.equal((await served().find(nameFor('attempts'))).length, 1);
    });
  });
}

/** The DN as Windows writes it. */
function guidText(bytes: Buffer): string {
  const hex = (from: number, to: number) => bytes.subarray(from, to).toString('hex');
  const turned = (from: number, to: number) => Buffer.from(bytes.subarray(from, to).toReversed()).toString('hex');
  return [turned(0, 4), turned(4, 6), turned(6, 8), hex(8, 10), hex(10, 16)].join('-');
}

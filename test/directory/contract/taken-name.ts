/** A name that an object in the directory has. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  GROUP_OU,
  GROUP_TYPE,
  nameFor,
  refuses,
  requestFor,
  USERS,
  type DirectoryUnderTest,
} from '../directory-under-test.ts';

/** https://www.rfc-editor.org/rfc/rfc4511#appendix-A.1 */
const ENTRY_ALREADY_EXISTS = 68;
const GUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;

export function holdTakenName(served: () => DirectoryUnderTest): void {
  describe('a taken name', () => {
    it('a taken name is adopted in the OU, and nothing in the group changes', async () => {
      await served().addGroup(nameFor('adopted'));
      const [earlier] = await served().find(nameFor('adopted'));
      const would = await served().open().check(requestFor('adopted'));
      const group = await served().open().ensure(requestFor('adopted'));
      assert.equal(would.outcome, 'would_adopt');
      assert.deepEqual(group, { ...would, outcome: 'adopted' });
      assert.match(group.object_guid ?? '', GUID);
      assert.equal(group.dn, earlier?.dn);
      assert.deepEqual(await served().find(nameFor('adopted')), [earlier]);
      assert.equal(served().front.count('add'), 0);
    });

    it('a taken name is adopted below the OU', async () => {
      const parent = `OU=Team,${GROUP_OU}`;
      await served().add(parent, { objectClass: ['top', 'organizationalUnit'] });
      await served().addGroup(nameFor('below'), { parent });
      const { outcome, dn } = await served().open().ensure(requestFor('below'));
      assert.deepEqual({ outcome, dn }, { outcome: 'adopted', dn: `CN=${nameFor('below')},${parent}` });
    });

    const conflicts: Record<string, { role: string; make: () => Promise<void>; at: string }> = {
      'elsewhere in the domain': {
        role: 'elsewhere',
        make: () => served().addGroup(nameFor('elsewhere'), { parent: USERS }),
        at: `CN=${nameFor('elsewhere')},${USERS}`,
      },
      'in other letters': {
        role: 'Letters',
        make: () => served().addGroup(nameFor('lETTERS')),
        at: `CN=${nameFor('lETTERS')},${GROUP_OU}`,
      },
      'as the common name of a group with another account name': {
        role: 'common',
        make: () => served().addGroup('not-common', { cn: nameFor('common') }),
        at: `CN=${nameFor('common')},${GROUP_OU}`,
      },
      'as the account name of a group with another common name': {
        role: 'account',
        make: () => served().addGroup(nameFor('account'), { cn: 'not-account' }),
        at: `CN=not-account,${GROUP_OU}`,
      },
      'as a domain-local group': {
        role: 'local',
        make: () => served().addGroup(nameFor('local'), { groupType: GROUP_TYPE.domainLocal }),
        at: `CN=${nameFor('local')},${GROUP_OU}`,
      },
      'as a universal group': {
        role: 'universal',
        make: () => served().addGroup(nameFor('universal'), { groupType: GROUP_TYPE.universal }),
        at: `CN=${nameFor('universal')},${GROUP_OU}`,
      },
      'as a distribution group': {
        role: 'distribution',
        make: () => served().addGroup(nameFor('distribution'), { groupType: GROUP_TYPE.distribution }),
        at: `CN=${nameFor('distribution')},${GROUP_OU}`,
      },
      'as a user': {
        role: 'user',
        make: () =>
          served().add(`CN=${nameFor('user')},${GROUP_OU}`, {
            objectClass: 'user',
            sAMAccountName: nameFor('user'),
            userAccountControl: '514',
          }),
        at: `CN=${nameFor('user')},${GROUP_OU}`,
      },
    };
    for (const [where, { role, make, at }] of Object.entries(conflicts)) {
      it(`a taken name is a conflict ${where}, which names the object and its GUID`, async () => {
        await make();
        for (const method of ['check', 'ensure'] as const) {
          const attempt = served().open()[method](requestFor(role));
          const { message, nonRetryable } = await refuses(attempt, 'DirectoryGroupConflict');
          assert.ok(message.includes(at), message);
          assert.match(message, /objectGUID [\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}/);
          assert.equal(nonRetryable, true);
        }
        assert.equal(served().front.count('add'), 0);
      });
    }

    it("a taken name is a conflict if this account can't see the object", async () => {
      const message = 'entry already exists';
      served().front.decide = (operation) =>
        operation === 'add' ? { code: ENTRY_ALREADY_EXISTS, message } : undefined;
      const { nonRetryable, details } = await refuses(
        served().open().ensure(requestFor('hidden')),
        'DirectoryGroupConflict',
        /does not show the entry with the name/,
      );
      assert.equal(nonRetryable, true);
      assert.equal(details, undefined);
    });

    it('a taken name is found among 1,000 groups', async () => {
      const names = Array.from({ length: 1_000 }, (_, i) => nameFor(`many-${i}`));
      for (let i = 0; i < names.length; i += 50) {
        await Promise.all(names.slice(i, i + 50).map((one) => served().addGroup(one)));
      }
      assert.equal((await served().open().ensure(requestFor('many-999'))).outcome, 'adopted');
      assert.equal((await served().open().check(requestFor('many-1000'))).outcome, 'would_create');
      assert.equal((await served().open().ensure(requestFor('many-1000'))).outcome, 'created');
    });
  });
}

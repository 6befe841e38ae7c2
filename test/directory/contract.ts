/** Tests of groups that run against the simulated directory and against a real Active Directory. */
import { after, afterEach, before, describe } from 'node:test';
import { createAuthority, type Authority } from '../../dev/servers/certificates.ts';
import { holdAccount } from './contract/account.ts';
import { holdConnection } from './contract/connection.ts';
import { holdFreeName } from './contract/free-name.ts';
import { holdGroupName } from './contract/group-name.ts';
import { holdSurvey } from './contract/survey.ts';
import { holdTakenName } from './contract/taken-name.ts';
import { holdUnansweredAdd } from './contract/unanswered-add.ts';
import { startDirectoryUnderTest, type DirectoryUnderTest, type ServedDirectory } from './directory-under-test.ts';

const PARTS = [holdFreeName, holdTakenName, holdGroupName, holdAccount, holdConnection, holdUnansweredAdd, holdSurvey];

/** @param authority issues the directory's certificate */
export function holdContract(
  name: string,
  start: (authority: Authority) => Promise<ServedDirectory>,
  authority = createAuthority('Directory test CA'),
): void {
  describe(`groups in ${name}`, () => {
    let served: DirectoryUnderTest;
    before(async () => {
      served = await startDirectoryUnderTest(start, authority);
    });
    after(() => served.stop());
    afterEach(() => {
      served.front.decide = () => undefined;
      served.front.sent = [];
    });
    for (const hold of PARTS) hold(() => served);
  });
}

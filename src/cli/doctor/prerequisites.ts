/** What must be there before records can be compared: both tables and the search attributes, as `role-build setup` makes them. */
import { searchAttributes } from '../../contract.ts';
import { checkTables } from '../../records/create-tables.ts';
import { addSearchAttributes, checkSearchAttributes, RegistrationRefused, untilUsable } from '../search-attributes.ts';
import type { Services } from '../services.ts';
import type { Finding, Mended } from './kinds.ts';

const FIX = 'role-build setup';

/** What is missing. @param added is given the name of each search attribute that was mended */
export async function checkPrerequisites(services: Services, added: string[]): Promise<Finding[]> {
  return [...(await tableFindings(services)), ...(await attributeFindings(services, added))];
}

/** Why records can't be compared, `undefined` where they can. @param added search attributes that may not be usable yet */
export async function whyNotComparable(services: Services, added: readonly string[]): Promise<string | undefined> {
  const { tables, dynamoDb } = services;
  if (added.length > 0) await untilUsable(services, true, added);
  const wrong = (await dynamoDb(() => checkTables(tables.client, tables))).find(
    ({ found, wanted }) => found !== wanted,
  );
  if (wrong !== undefined) return `table ${wrong.name} ${wrong.found === undefined ? 'is missing' : 'has another key'}`;
  const { JobId } = searchAttributes;
  const jobId = (await checkSearchAttributes(services)).find(({ name }) => name === JobId.name);
  return jobId?.found === jobId?.wanted ? undefined : `the search attribute ${JobId.name} is not as it must be`;
}

async function tableFindings(services: Services): Promise<Finding[]> {
  const { tables, dynamoDb } = services;
  const checks = await dynamoDb(() => checkTables(tables.client, tables));
  return checks.flatMap(({ name, wanted, found, create }): Finding[] => {
    if (found === wanted) return [];
    if (found !== undefined) {
      const reason = `table ${name} has the key ${found}, not ${wanted}`;
      const fix = `by hand: copy it to a table with that key, or name another with STATUS_TABLE or HISTORY_TABLE`;
      return [{ finding: 'TableKeyMismatch', about: name, subject: { table: name }, reason, fix }];
    }
    const mend = async () => {
      await dynamoDb(create);
      return { result: 'mended', left: false } as const;
    };
    return [
      {
        finding: 'TableMissing',
        about: name,
        subject: { table: name },
        reason: `table ${name} does not exist`,
        fix: FIX,
        mend,
      },
    ];
  });
}

async function attributeFindings(services: Services, added: string[]): Promise<Finding[]> {
  const { namespace } = services;
  return (await checkSearchAttributes(services)).flatMap((check): Finding[] => {
    const { name, type, wanted, found } = check;
    if (found === wanted) return [];
    if (found !== undefined) {
      const reason = `search attribute ${name} has another type in namespace ${namespace} than ${type}`;
      const fix = 'by hand: remove it from the namespace, then role-build setup';
      return [{ finding: 'SearchAttributeMismatch', about: name, subject: {}, reason, fix }];
    }
    const mend = async (): Promise<Mended> => {
      try {
        await addSearchAttributes(services, [check]);
      } catch (err) {
        if (!(err instanceof RegistrationRefused)) throw err;
        return { result: 'left alone', left: true };
      }
      added.push(name);
      return { result: 'mended', left: false };
    };
    const reason = `search attribute ${name} is not registered in namespace ${namespace}`;
    return [{ finding: 'SearchAttributeMissing', about: name, subject: {}, reason, fix: FIX, mend }];
  });
}

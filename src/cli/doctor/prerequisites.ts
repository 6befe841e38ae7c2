/** What must be there before records can be compared: both tables and the search attributes, as `role-build setup` makes them. */
import { searchAttributes } from '../../contract.ts';
import { tableChecks, type TableCheck } from '../../records/create-tables.ts';
import { hasHistoryIndex } from '../../records/history-index.ts';
import { HISTORY_INDEX_NAME } from '../../records/names.ts';
import {
  describeRooms,
  hasOtherType,
  isMissing,
  ownNamespaceOr,
  RegistrationRefused,
  whyNoRoom,
} from '../search-attribute-room.ts';
import { addSearchAttributes, checkSearchAttributes, untilUsable } from '../search-attributes.ts';
import type { Services } from '../services.ts';
import { isDenied } from './denied.ts';
import type { Finding, Mended } from './kinds.ts';

const FIX = 'role-build setup';
const MENDED: Mended = { result: 'mended', left: false };

/**
 * What is looked at, each with what could not be looked at where it fails.
 *
 * @param added is given the name of each search attribute that was mended
 */
export function prerequisites(
  services: Services,
  added: string[],
): { look: () => Promise<Finding[]>; undone: string }[] {
  const { tables } = services;
  return [
    ...tableChecks(tables.client, tables).map((check) => ({
      look: () => tableFindings(services, check),
      undone: `table ${check.name} was not looked at`,
    })),
    { look: () => attributeFindings(services, added), undone: 'the search attributes were not looked at' },
  ];
}

/** Why records can't be compared, `undefined` where they can. @param added search attributes that may not be usable yet */
export async function whyNotComparable(services: Services, added: readonly string[]): Promise<string | undefined> {
  const { tables, dynamoDb } = services;
  if (added.length > 0) await untilUsable(services, true, added);
  for (const { name, wanted, find } of tableChecks(tables.client, tables)) {
    // Whoever may not ask for a table's key may yet read the table.
    const found = await dynamoDb(find).catch((err: unknown) => {
      if (isDenied(err)) return wanted;
      throw err;
    });
    if (found !== wanted) return `table ${name} ${found === undefined ? 'is missing' : 'has another key'}`;
  }
  return undefined;
}

/** @returns why Temporal's executions can't be told apart by their job, if so, and how many search attributes are needed and free */
export async function jobsAndRoom(services: Services): Promise<{ whyJobsUnknown?: string; room: string }> {
  const { JobId } = searchAttributes;
  const { checks, rooms } = await checkSearchAttributes(services);
  const jobId = checks.find(({ name }) => name === JobId.name);
  const isThere = jobId?.found === jobId?.wanted;
  return {
    ...(isThere ? {} : { whyJobsUnknown: `the search attribute ${JobId.name} is not as it must be` }),
    room: describeRooms(rooms),
  };
}

async function tableFindings(services: Services, { name, wanted, find, create }: TableCheck): Promise<Finding[]> {
  const { dynamoDb } = services;
  const found = await dynamoDb(find);
  if (found === wanted) return [];
  const common = { about: name, subject: { table: name } };
  if (found !== undefined) {
    const reason = `table ${name} has the key ${found}, not ${wanted}`;
    const fix = 'by hand: copy it to a table with that key, or name another with STATUS_TABLE or HISTORY_TABLE';
    return [{ finding: 'TableKeyMismatch', ...common, reason, fix }];
  }
  const mend = async () => {
    await dynamoDb(create);
    return MENDED;
  };
  return [{ finding: 'TableMissing', ...common, reason: `table ${name} does not exist`, fix: FIX, mend }];
}

/** @returns why `role-build history` can't list, `undefined` where it can: no finding, since builds do without the index */
export async function whyNoHistory({ tables, dynamoDb }: Services): Promise<string | undefined> {
  const { client, historyTable } = tables;
  try {
    if (await dynamoDb(() => hasHistoryIndex(client, historyTable))) return undefined;
    return `table ${historyTable} has no index ${HISTORY_INDEX_NAME}, which ${FIX} adds`;
  } catch (err) {
    return (err as Error).message;
  }
}

async function attributeFindings(services: Services, added: string[]): Promise<Finding[]> {
  const { namespace } = services;
  const found = await checkSearchAttributes(services);
  const room = describeRooms(found.rooms);
  const full = whyNoRoom(namespace, found.rooms);
  return found.checks.flatMap((check): Finding[] => {
    const { name, type } = check;
    const common = { about: name, subject: {} };
    if (hasOtherType(check)) {
      const reason = `search attribute ${name} has another type in namespace ${namespace} than ${type}`;
      return [{ finding: 'SearchAttributeMismatch', ...common, reason, fix: ownNamespaceOr(namespace, [name]) }];
    }
    if (!isMissing(check)) return [];
    const reason = `search attribute ${name} is not registered in namespace ${namespace}; ${room}`;
    if (full !== undefined) return [{ finding: 'SearchAttributeMissing', ...common, reason, fix: full.fix }];
    const mend = async (): Promise<Mended> => {
      try {
        await addSearchAttributes(services, { ...found, checks: [check] });
      } catch (err) {
        if (!(err instanceof RegistrationRefused)) throw err;
        return { result: 'left alone', left: true };
      }
      added.push(name);
      return MENDED;
    };
    return [{ finding: 'SearchAttributeMissing', ...common, reason, fix: FIX, mend }];
  });
}

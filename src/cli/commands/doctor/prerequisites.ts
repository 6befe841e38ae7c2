/** What must exist before records can be compared: both tables and the search attributes of `role-build setup`. */
import { searchAttributes } from '../../../contract.ts';
import { tableChecks, type TableCheck } from '../../../records/create-tables.ts';
import { hasHistoryIndex } from '../../../records/history-index.ts';
import { HISTORY_INDEX_NAME } from '../../../records/names.ts';
import type { Services } from '../../services.ts';
import {
  addSearchAttributes,
  checkSearchAttributes,
  describeRooms,
  ownNamespaceOr,
  RegistrationRefused,
  untilUsable,
  whyNoRoom,
} from '../../temporal/search-attributes.ts';
import { isDenied, LEFT_ALONE, REPAIRED, type Finding, type Repaired } from './findings.ts';

const SETUP = 'role-build setup';

/** @returns the checks, each with what is left undone if it fails */
export function prerequisites(services: Services): { look: () => Promise<Finding[]>; undone: string }[] {
  const { tables } = services;
  return [
    ...tableChecks(tables.client, tables).map((check) => ({
      look: () => tableFindings(services, check),
      undone: `table ${check.name} was not checked`,
    })),
    { look: () => attributeFindings(services), undone: 'the search attributes were not checked' },
  ];
}

async function tableFindings({ dynamoDb }: Services, { name, wanted, find, create }: TableCheck): Promise<Finding[]> {
  const found = await dynamoDb(find);
  if (found === wanted) return [];
  const common = { about: name, subject: { table: name } };
  if (found !== undefined) {
    const reason = `table ${name} has the key ${found}, not ${wanted}`;
    const fix = 'by hand: copy it to a table with that key, or name another with STATUS_TABLE or HISTORY_TABLE';
    return [{ finding: 'TableKeyMismatch', ...common, reason, fix }];
  }
  const repair = () => dynamoDb(create).then(() => REPAIRED);
  return [{ finding: 'TableMissing', ...common, reason: `table ${name} does not exist`, fix: SETUP, repair }];
}

async function attributeFindings(services: Services): Promise<Finding[]> {
  const { namespace } = services;
  const found = await checkSearchAttributes(services);
  const full = whyNoRoom(namespace, found.rooms);
  return found.checks.flatMap((check): Finding[] => {
    const { name, type, state } = check;
    const common = { about: name, subject: {} };
    if (state === 'of another type') {
      const reason = `search attribute ${name} has another type in namespace ${namespace} than ${type}`;
      return [{ finding: 'SearchAttributeMismatch', ...common, reason, fix: ownNamespaceOr(namespace, [name]) }];
    }
    if (state === 'registered') return [];
    const reason = `search attribute ${name} is not registered in namespace ${namespace}; ${describeRooms(found.rooms)}`;
    const repair = async (): Promise<Repaired> => {
      try {
        await addSearchAttributes(services, found, [name]);
        return REPAIRED;
      } catch (err) {
        if (err instanceof RegistrationRefused) return LEFT_ALONE;
        throw err;
      }
    };
    const fixed = full === undefined ? { fix: SETUP, repair } : { fix: full.fix };
    return [{ finding: 'SearchAttributeMissing', ...common, reason, ...fixed }];
  });
}

/** Tells what can be compared. @param areNew whether search attributes may just have been registered */
export async function readinessOf(services: Services, areNew: boolean) {
  const { checks, rooms } = await checkSearchAttributes(services);
  const usable = checks.filter(({ state }) => state === 'registered').map(({ name }) => name);
  if (areNew && usable.length > 0) await untilUsable(services, true, usable);
  const { name } = searchAttributes.JobId;
  return {
    /** Why no records can be compared. */
    whyNot: await whyNotComparable(services),
    /** Why jobs in Temporal can't be told apart. */
    whyJobsUnknown: usable.includes(name) ? undefined : `the search attribute ${name} is not as it must be`,
    /** How many search attributes are needed, and how many are free. */
    room: describeRooms(rooms),
  };
}

async function whyNotComparable({ tables, dynamoDb }: Services): Promise<string | undefined> {
  for (const { name, wanted, find } of tableChecks(tables.client, tables)) {
    // A user who may not describe a table may still be allowed to read it.
    const found = await dynamoDb(find).catch((err: unknown) => {
      if (isDenied(err)) return wanted;
      throw err;
    });
    if (found !== wanted) return `table ${name} ${found === undefined ? 'is missing' : 'has another key'}`;
  }
  return undefined;
}

/** @returns why `role-build history` can't list, if it can't; no finding, because builds don't need its index */
export async function whyNoHistory({ tables, dynamoDb }: Services): Promise<string | undefined> {
  const { client, historyTable } = tables;
  try {
    if (await dynamoDb(() => hasHistoryIndex(client, historyTable))) return undefined;
    return `table ${historyTable} has no index ${HISTORY_INDEX_NAME}, which ${SETUP} adds`;
  } catch (err) {
    return (err as Error).message;
  }
}

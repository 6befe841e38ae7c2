/** Active Directory groups, one for each role. A missing group is added; none is ever changed or deleted. */
import { ApplicationFailure } from '@temporalio/common';
import * as ldap from 'ldapts';
import { REFUSED_IN_NAMES, type DirectorySettings } from '../config/directory.ts';
import type { DirectoryGroup, DirectoryServer, GroupRequest } from '../domain/directory-group.ts';
import { directoryFailure, recordable, textOf, unusable, valuesOf } from './answers.ts';
import { Connector, type Connection } from './connection.ts';

/** https://learn.microsoft.com/en-us/windows/win32/adschema/a-grouptype */
const GLOBAL_SECURITY_GROUP = String(0x80000002 | 0);
/** Limit of `cn`. https://learn.microsoft.com/en-us/windows/win32/adschema/a-cn */
const NAME_MAX_CHARACTERS = 64;
const ATTRIBUTES = ['sAMAccountName', 'cn', 'objectClass', 'groupType', 'objectGUID', 'info'];

export class Directory extends Connector {
  readonly #ou = new ldap.DN();

  constructor(settings: DirectorySettings) {
    super(settings);
    for (const [attribute, value] of settings.DIRECTORY_GROUP_OU) this.#ou.addPairRDN(attribute, value);
  }

  /** Checks whether {@link ensure} could provide the group. Only reads. @throws TemporalFailure */
  async check(request: GroupRequest): Promise<DirectoryGroup> {
    const { name, dn } = this.#groupOf(request);
    return this.connected(undefined, async (connection) => {
      const whyNoRight = await this.#whyNoRight(connection);
      if (whyNoRight !== undefined) throw directoryFailure('DirectoryRefused', whyNoRight);
      const found = await this.#find(connection, name, dn);
      if (found === undefined) return { name, dn: dn.toString(), outcome: 'would_create' };
      return { ...groupOf(found), outcome: 'would_adopt' };
    });
  }

  /** Adopts the group if it is there, else adds it and reads it back. @throws TemporalFailure */
  async ensure(
    request: GroupRequest,
    beforeAdd: (server: DirectoryServer) => Promise<void> = () => Promise.resolve(),
  ): Promise<DirectoryGroup> {
    const { name, dn } = this.#groupOf(request);
    const marks = request.job_ids.map((job) => `iam-orchestrator request=${request.request_id} job=${job}`);
    let { sent_to } = request;
    try {
      return await this.connected(sent_to, async (connection) => {
        let found = await this.#find(connection, name, dn);
        let isTaken = false;
        if (found === undefined) {
          await beforeAdd(connection.server);
          sent_to = connection.server;
          const group = { objectClass: ['top', 'group'], sAMAccountName: name, groupType: GLOBAL_SECURITY_GROUP };
          await connection.client.add(dn, { ...group, info: marks.slice(0, 1) }).catch((err: unknown) => {
            // Another client was faster, or this account can't see the entry.
            isTaken = err instanceof ldap.AlreadyExistsError;
            if (!isTaken && err instanceof ldap.ResultCodeError) sent_to = undefined;
            if (!isTaken) throw err;
          });
          found = await this.#find(connection, name, dn);
        }
        const type = isTaken ? 'DirectoryGroupConflict' : 'DirectoryUnavailable';
        if (found === undefined)
          throw directoryFailure(type, `the directory does not show the entry with the name ${name}`);
        return { ...groupOf(found), outcome: marks.includes(textOf(found, 'info')) ? 'created' : 'adopted' };
      });
    } catch (err) {
      // After an add was sent, any failure to find the group leaves the add's outcome unknown.
      if (sent_to === undefined || !(err instanceof ApplicationFailure)) throw err;
      if (err.type === 'DirectoryGroupConflict') throw err;
      const message = `an add was sent to ${sent_to.name}, and its outcome is unknown: ${err.message}`;
      const more = { nonRetryable: err.nonRetryable === true, details: [sent_to], cause: err };
      throw directoryFailure('DirectoryGroupUnknown', message, more);
    }
  }

  /** Returns the groups in the OU, and what right {@link ensure} lacks. @throws TemporalFailure if nobody can bind */
  survey() {
    return this.connected(undefined, async (connection) => {
      const filter = new ldap.EqualityFilter({ attribute: 'objectClass', value: 'group' });
      const found = await search(connection, this.#ou, { filter, paged: true });
      const { certificateExpires } = connection;
      return { certificateExpires, whyNoRight: await this.#whyNoRight(connection), groups: found.map(groupOf) };
    });
  }

  /** A name that does not fit is refused and never changed, since it is a permission. @throws ApplicationFailure */
  #groupOf({ account_id, role }: GroupRequest): { name: string; dn: ldap.DN } {
    const template = this.settings.DIRECTORY_GROUP_NAME;
    const name = template.replace('{role}', () => role).replace('{account_id}', account_id);
    const refused = REFUSED_IN_NAMES.exec(name)?.[0];
    const tooMany = name.length - NAME_MAX_CHARACTERS;
    if (refused === undefined && tooMany <= 0) {
      return { name, dn: new ldap.DN().addPairRDN('CN', name).addRDNs(this.#ou) };
    }
    const tooLong = `${role.length - tooMany} characters are left for the role`;
    const why = refused === undefined ? tooLong : `of its "${refused}"`;
    throw directoryFailure('DirectoryRefused', `no group can be named "${name}", because ${why}`);
  }

  async #whyNoRight(connection: Connection): Promise<string | undefined> {
    const [entry] = await search(connection, this.#ou, { scope: 'base', attributes: ['allowedChildClassesEffective'] });
    if (entry === undefined) return `there is no ${this.#ou.toString()}`;
    if (namesGroup(entry, 'allowedChildClassesEffective')) return undefined;
    return `${this.settings.DIRECTORY_BIND_USER} may not create groups in ${this.#ou.toString()}`;
  }

  /** @returns the group if it can be adopted, `undefined` if its name is free @throws ApplicationFailure */
  async #find(connection: Connection, name: string, dn: ldap.DN): Promise<ldap.Entry | undefined> {
    const filter = new ldap.EqualityFilter({ attribute: 'sAMAccountName', value: name });
    let found = await search(connection, connection.domainDn, { filter });
    // Another entry may have the DN, or the group itself was added since.
    if (found.length === 0) found = await search(connection, dn, { scope: 'base' });
    const [entry, second] = found;
    if (entry === undefined) return undefined;
    const isInOu = (await search(connection, this.#ou, { filter })).length > 0;
    const fault = second === undefined ? faultOf(entry, name, isInOu) : 'there are several';
    if (fault === undefined) return entry;
    const which = found.map((one) => `${one.dn} (objectGUID ${guidOf(one)})`).join(' and ');
    throw directoryFailure('DirectoryGroupConflict', `the name ${name} is taken by ${which}: ${fault}`);
  }
}

/** Returns why an entry can't be adopted. Its name must be exact, because the name gives all members a permission. */
function faultOf(entry: ldap.Entry, name: string, isInOu: boolean): string | undefined {
  if (!namesGroup(entry, 'objectClass')) return 'it is no group';
  if (textOf(entry, 'sAMAccountName') !== name || textOf(entry, 'cn') !== name)
    return 'its name is not equal to the letter';
  if (textOf(entry, 'groupType') !== GLOBAL_SECURITY_GROUP) return 'it is no global security group';
  return isInOu ? undefined : 'it lies outside of DIRECTORY_GROUP_OU';
}

function groupOf(entry: ldap.Entry): Omit<DirectoryGroup, 'outcome'> {
  const name = recordable('sAMAccountName', textOf(entry, 'sAMAccountName'));
  return { name, object_guid: guidOf(entry), dn: recordable('dn', entry.dn) };
}

/** Whether an attribute lists the class `group`. Class names can be in upper or lower case. */
function namesGroup(entry: ldap.Entry, attribute: string): boolean {
  return textOf(entry, attribute).toLowerCase().split(',').includes('group');
}

/** Writes the GUID as Windows does: the first three of its parts are little-endian. */
function guidOf(entry: ldap.Entry): string {
  const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
  const [value = '', ...more] = valuesOf(entry, 'objectGUID');
  // The library returns text if the server spells the attribute's name in another way.
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  if (bytes.length !== order.length || more.length > 0) {
    throw unusable(`objectGUID of ${entry.dn} is not one value of ${order.length} bytes`);
  }
  const hex = Buffer.from(order.map((i) => bytes[i] as number)).toString('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** Returns no entries if the search base does not exist. */
async function search({ client }: Connection, base: ldap.DN | string, options: ldap.SearchOptions) {
  try {
    const all = { attributes: ATTRIBUTES, explicitBufferAttributes: ['objectGUID'], ...options };
    return (await client.search(base, all)).searchEntries;
  } catch (err) {
    if (err instanceof ldap.NoSuchObjectError) return [];
    throw err;
  }
}

/** A directory that tests read as its administrator. The code under test connects through a proxy. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApplicationFailure } from '@temporalio/common';
import { Client, DN, EqualityFilter, type Entry } from 'ldapts';
import type { Authority } from '../../dev/servers/certificates.ts';
import { DOMAIN, GROUP_OU } from '../../dev/simulated-directory/server.ts';
import { Directory } from '../../src/directory/directory.ts';
import type { DirectorySettings } from '../../src/config/directory.ts';
import { readDirectorySettings } from '../../src/config/settings.ts';
import type { GroupRequest } from '../../src/domain/directory-group.ts';
import type { FailureName } from '../../src/domain/failures.ts';
import { startLdapFront, type LdapFront } from '../support/ldap-front.ts';
import { ADMINISTRATOR, SERVICE_ACCOUNT } from './accounts.ts';

export { DOMAIN, GROUP_OU };
export const USERS = `CN=Users,${DOMAIN}`;
export const ACCOUNT = '123456789012';

/** https://learn.microsoft.com/windows/win32/adschema/a-grouptype */
export const GROUP_TYPE = {
  global: '-2147483646',
  domainLocal: '-2147483644',
  universal: '-2147483640',
  distribution: '2',
} as const;

/** Its accounts are in accounts.ts. */
export interface ServedDirectory {
  /** `ldaps://…` */
  url: string;
  stop(): Promise<void>;
}

export interface DirectoryUnderTest {
  authority: Authority;
  front: LdapFront;
  folder: string;
  passwordFile: string;
  /** Settings of a worker that connects through the proxy. */
  environment: Readonly<Record<string, string>>;
  /** @param more further settings */
  open(more?: Partial<Record<keyof DirectorySettings, string>>): Directory;
  /** Runs as its administrator. */
  add(dn: string, attributes: Record<string, string | string[]>): Promise<void>;
  addGroup(name: string, more?: { parent?: string; cn?: string; groupType?: string }): Promise<void>;
  /** Returns all entries with this `sAMAccountName`, as its administrator sees them. */
  find(name: string): Promise<Entry[]>;
  stop(): Promise<void>;
}

export async function startDirectoryUnderTest(
  start: (authority: Authority) => Promise<ServedDirectory>,
  authority: Authority,
): Promise<DirectoryUnderTest> {
  const directory = await start(authority);
  const front = await startLdapFront(directory.url, authority.issue('directory', ['127.0.0.1']));
  const folder = await mkdtemp(join(tmpdir(), 'directory-'));
  const caFile = join(folder, 'ca.pem');
  const passwordFile = join(folder, 'password');
  await writeFile(caFile, authority.cert);
  await writeFile(passwordFile, SERVICE_ACCOUNT.password);
  const administrator = new Client({ url: directory.url, tlsOptions: { ca: authority.cert }, autoRebind: true });
  await administrator.bind(ADMINISTRATOR.user, ADMINISTRATOR.password);
  const environment = {
    DIRECTORY_URL: front.url,
    DIRECTORY_CA_FILE: caFile,
    DIRECTORY_BIND_USER: SERVICE_ACCOUNT.user,
    DIRECTORY_PASSWORD_FILE: passwordFile,
    DIRECTORY_GROUP_OU: GROUP_OU,
    DIRECTORY_TIMEOUT_SECONDS: '30',
  };
  return {
    authority,
    front,
    folder,
    passwordFile,
    environment,
    open: (more) => {
      const settings = readDirectorySettings({ ...environment, ...more });
      assert.ok(settings);
      return new Directory(settings);
    },
    add: (dn, attributes) => administrator.add(dn, attributes),
    addGroup: (name, { parent = GROUP_OU, cn = name, groupType = GROUP_TYPE.global } = {}) =>
      administrator.add(`${new DN().addPairRDN('CN', cn).toString()},${parent}`, {
        objectClass: ['top', 'group'],
        sAMAccountName: name,
        groupType,
      }),
    find: async (name) => {
      const filter = new EqualityFilter({ attribute: 'sAMAccountName', value: name });
      const { searchEntries } = await administrator.search(DOMAIN, {
        filter,
        explicitBufferAttributes: ['objectGUID'],
      });
      return searchEntries;
    },
    stop: async () => {
      await administrator.unbind();
      await front.stop();
      await directory.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export function requestFor(role: string, jobId = `job-${role}`): GroupRequest {
  return { account_id: ACCOUNT, role, request_id: `request-${role}`, job_ids: [jobId] };
}

export function nameFor(role: string): string {
  return `AWS-${ACCOUNT}-${role}`;
}

/** @returns the failure of an attempt */
export async function refuses(
  attempt: Promise<unknown>,
  failure: FailureName,
  message = /./,
): Promise<ApplicationFailure> {
  const [result] = await Promise.allSettled([attempt]);
  assert.ok(result.status === 'rejected', `it should have failed with ${failure}`);
  assert.ok(result.reason instanceof ApplicationFailure, String(result.reason));
  assert.equal(result.reason.type, failure, result.reason.message);
  assert.match(result.reason.message, message);
  return result.reason;
}

/** A real Active Directory: domain controllers from Debian's packages samba-ad-dc and samba-ad-provision. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import tls from 'node:tls';
import { promisify } from 'node:util';
import { startChild, type Child } from '../../../dev/servers/child.ts';
import type { Authority } from '../../../dev/servers/certificates.ts';
import { DOMAIN, GROUP_OU } from '../../../dev/simulated-directory/server.ts';
import { ADMINISTRATOR, OTHER_ACCOUNT, SERVICE_ACCOUNT } from '../../directory/accounts.ts';

const REALM = 'corp.example.com';
/** Domain controllers can't use another port. */
const LDAPS_PORT = 636;
const START_TIMEOUT_MS = 120_000;
/** https://learn.microsoft.com/windows/win32/adschema/c-group */
const GROUP_CLASS = 'bf967a9c-0de6-11d0-a285-00aa003049e2';
const OPTIONS = ['--dns-backend=NONE', '--option=bind interfaces only=yes', '--option=ldb:nosync=true'];
/** The account with which one domain controller calls another. */
const AS_ADMINISTRATOR = [`--user=CORP\\${nameOf(ADMINISTRATOR.user)}%${ADMINISTRATOR.password}`, '--use-kerberos=off'];
const run = promisify(execFile);

export interface DomainController {
  /** An address of 127/8. */
  host: string;
  /** `ldaps://…` */
  url: string;
  start(): Promise<void>;
  /** Stops it and keeps its data. */
  stop(): Promise<void>;
  /** Replicates the data of another controller, which never happens automatically. */
  replicateFrom(other: DomainController): Promise<void>;
  /** Stops it and deletes its data. */
  remove(): Promise<void>;
}

/**
 * Provisions a domain with the OU and the accounts of the tests, and starts its domain controller.
 *
 * @param host an address of 127/8 on which nothing else listens
 * @param authority issues its certificate
 */
export function startDomain(host: string, authority: Authority): Promise<DomainController> {
  return startController('dc1', host, authority, async (folder, interfaces) => {
    const domain = [`--realm=${REALM}`, '--domain=CORP', '--server-role=dc', `--adminpass=${ADMINISTRATOR.password}`];
    const own = [`--targetdir=${folder}`, '--host-name=dc1', `--host-ip=${host}`, interfaces];
    await run('samba-tool', ['domain', 'provision', ...domain, ...own, ...OPTIONS]);
    await makeAccounts((...args) => runOn(folder, ...args, `--URL=${join(folder, 'private', 'sam.ldb')}`));
  });
}

/** Starts a second domain controller, `dc2`, of a domain. */
export function joinDomain(first: DomainController, host: string, authority: Authority): Promise<DomainController> {
  return startController('dc2', host, authority, async (folder, interfaces) => {
    const own = [`--targetdir=${folder}`, '--option=netbios name=dc2', interfaces];
    const from = [`--server=${first.host}`, ...AS_ADMINISTRATOR];
    await run('samba-tool', ['domain', 'join', REALM, 'DC', ...own, ...from, ...OPTIONS]);
  });
}

async function startController(
  name: string,
  host: string,
  authority: Authority,
  make: (folder: string, interfaces: string) => Promise<void>,
): Promise<DomainController> {
  const folder = await mkdtemp(join(tmpdir(), 'samba-'));
  let server: Child | undefined;
  const controller: DomainController = {
    host,
    url: `ldaps://${host}:${LDAPS_PORT}`,
    start: async () => {
      server = await startServer(folder, host);
    },
    stop: async () => server?.stop(),
    replicateFrom: async (other) => {
      await runOn(folder, 'drs', 'replicate', name, other.host, DOMAIN, '--local', ...AS_ADMINISTRATOR);
    },
    remove: async () => {
      await server?.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    // With the mask; otherwise Samba ignores addresses of the loopback interface.
    await make(folder, `--option=interfaces=${host}/8`);
    await writeCertificate(folder, authority, [host, `${name}.${REALM}`]);
    await controller.start();
    return controller;
  } catch (err) {
    await controller.remove();
    throw err;
  }
}

/** Makes the accounts. The service account may only create groups in the OU, as SECURITY.md delegates it. */
async function makeAccounts(tool: (...args: readonly string[]) => Promise<string>): Promise<void> {
  await tool('ou', 'create', GROUP_OU);
  for (const { user, password } of [SERVICE_ACCOUNT, OTHER_ACCOUNT]) {
    await tool('user', 'create', nameOf(user), password);
  }
  const shown = await tool('user', 'show', nameOf(SERVICE_ACCOUNT.user), '--attributes=objectSid');
  const sid = /^objectSid: (\S+)/m.exec(shown)?.[1];
  await tool('dsacl', 'set', `--objectdn=${GROUP_OU}`, `--sddl=(OA;CI;CC;${GROUP_CLASS};;${sid})`);
}

function nameOf(user: string): string {
  return user.slice(0, user.indexOf('@'));
}

async function runOn(folder: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await run('samba-tool', [...args, `--configfile=${join(folder, 'etc', 'smb.conf')}`]);
  return stdout;
}

async function writeCertificate(folder: string, authority: Authority, names: readonly string[]): Promise<void> {
  const place = join(folder, 'private', 'tls');
  await mkdir(place, { recursive: true });
  const { cert, key } = authority.issue(names[0] ?? '', names);
  for (const [file, pem] of [
    ['ca.pem', authority.cert],
    ['cert.pem', cert],
    ['key.pem', key],
  ] as const) {
    await writeFile(join(place, file), pem, { mode: 0o600 });
  }
}

async function startServer(folder: string, host: string): Promise<Child> {
  const options = [
    'server services=cldap ldap rpc',
    `pid directory=${folder}`,
    `ncalrpc dir=${join(folder, 'ncalrpc')}`,
  ];
  const server = await startChild('samba', [
    '--foreground',
    '--no-process-group',
    '--debug-stdout',
    `--configfile=${join(folder, 'etc', 'smb.conf')}`,
    ...options.map((option) => `--option=${option}`),
  ]);
  const giveUpAt = performance.now() + START_TIMEOUT_MS;
  while (!(await answers(host))) {
    if (server.hasExited() || performance.now() > giveUpAt) {
      await server.kill();
      throw new Error(`samba did not start:\n${server.output()}`);
    }
    await delay(50);
  }
  return server;
}

function answers(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = tls.connect({ host, port: LDAPS_PORT, rejectUnauthorized: false });
    const end = (isUp: boolean) => () => {
      socket.destroy();
      resolve(isUp);
    };
    socket.once('secureConnect', end(true));
    socket.once('error', end(false));
  });
}

/** Starts a simulated directory with its own certificate, and returns the settings of workers for it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GROUP_OU, startSimulatedDirectory } from '../simulated-directory/server.ts';
import { createAuthority, type Authority } from './certificates.ts';

const HOST = '127.0.0.1';
/** `doctor` warns about a certificate that expires within 30 days. */
const CERTIFICATE_MS = 90 * 24 * 60 * 60 * 1000;
const USER = 'svc-role-build@corp.example.com';

export interface DirectoryServer {
  /** The authority that signed the server's certificate. */
  authority: Authority;
  /** `ldaps://…` */
  url: string;
  settings: Record<string, string>;
  /** The distinguished names of all groups. */
  groups(): string[];
  stop(): Promise<void>;
}

/** @param password of the account that workers bind as */
export async function startDirectory({ password = 'example-not-a-password' } = {}): Promise<DirectoryServer> {
  const authority = createAuthority('Simulated directory CA');
  const directory = await startSimulatedDirectory({
    certificate: authority.issue(HOST, [HOST], Date.now() + CERTIFICATE_MS),
    administrator: { user: 'Administrator@corp.example.com', password },
    serviceAccount: { user: USER, password },
  });
  const folder = await mkdtemp(join(tmpdir(), 'directory-'));
  const caFile = join(folder, 'ca.pem');
  const passwordFile = join(folder, 'password');
  await writeFile(caFile, authority.cert);
  await writeFile(passwordFile, password, { mode: 0o600 });
  return {
    authority,
    url: directory.url,
    settings: {
      DIRECTORY_URL: directory.url,
      DIRECTORY_CA_FILE: caFile,
      DIRECTORY_BIND_USER: USER,
      DIRECTORY_PASSWORD_FILE: passwordFile,
      DIRECTORY_GROUP_OU: GROUP_OU,
    },
    groups: () => directory.groups(),
    stop: async () => {
      await directory.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

import { numberFrom, optional, setting, text, urlLike, type Parsed } from './values.ts';

export const DIRECTORY_SETTINGS = {
  DIRECTORY_URL: optional(ldapsUrl, {
    meaning: 'domain controller that makes the groups; nothing unencrypted is taken',
    example: 'ldaps://dc1.corp.example.com',
  }),
  DIRECTORY_CA_FILE: optional(text, {
    meaning: "file with certificates in PEM of the authorities to trust for it, instead of Node.js's own",
    example: '/etc/ssl/corp-ca.pem',
  }),
  DIRECTORY_BIND_USER: optional(text, {
    meaning: 'account that makes them: `user@domain`, `DOMAIN\\user` or a DN',
    example: 'svc-role-build@corp.example.com',
  }),
  DIRECTORY_PASSWORD_FILE: optional(text, {
    meaning: "file with that account's password, read at each bind",
    example: '/run/secrets/directory-password',
  }),
  DIRECTORY_GROUP_OU: optional(partsOfDn, {
    meaning: 'DN of the OU that they are made in',
    example: 'OU=AWS Roles,DC=corp,DC=example,DC=com',
  }),
  DIRECTORY_GROUP_NAME: setting(groupNameTemplate, {
    default: 'AWS-{account_id}-{role}',
    meaning: "name of a role's group; holds `{account_id}` and `{role}`, each once",
    example: 'AWS-{account_id}-{role}',
  }),
  DIRECTORY_TIMEOUT_SECONDS: setting(numberFrom(1, 30), {
    default: '10',
    meaning: 'limit of connecting to the domain controller, and of each answer',
    example: '5',
    unit: 'seconds',
  }),
};

type Given = Parsed<typeof DIRECTORY_SETTINGS>;

const REQUIRED = ['DIRECTORY_URL', 'DIRECTORY_BIND_USER', 'DIRECTORY_PASSWORD_FILE', 'DIRECTORY_GROUP_OU'] as const;

export type DirectorySettings = Given & { [K in (typeof REQUIRED)[number]]: NonNullable<Given[K]> };

/** Returns a fault for each required setting that is missing, unless the directory isn't configured at all. */
export function directoryFaults(given: Partial<Given>): string[] {
  const missing = REQUIRED.filter((name) => given[name] === undefined);
  if (missing.length === REQUIRED.length && given.DIRECTORY_CA_FILE === undefined) return [];
  return missing.map((name) => `${name} must be set too: ${REQUIRED.join(', ')} go together`);
}

export function hasDirectory<T extends Given>(given: T): given is T & DirectorySettings {
  return given.DIRECTORY_URL !== undefined;
}

function ldapsUrl(value: string): string {
  const must = 'must be one address such as ldaps://dc1.corp.example.com:636';
  urlLike(/^ldaps:\/\/([a-z\d.-]+|\[[\da-f:.]+\])(:\d+)?\/?$/i, value, must);
  return value.replace(/\/$/, '');
}

/** @returns the parts of a DN, innermost first */
function partsOfDn(dn: string): [attribute: string, value: string][] {
  return dn.split(/(?<!\\),/).map((part) => {
    const [, attribute, value] =
      /^\s*([a-z][a-z\d-]*)\s*=\s*((?:\\["#+,;<=>\\ ]|[^"#+,;<>\\\p{Cc}])+?)\s*$/iu.exec(part) ?? [];
    if (attribute !== undefined && value !== undefined) return [attribute, value.replaceAll(/\\(.)/g, '$1')];
    throw new Error(`must be a DN such as OU=AWS,DC=example,DC=com, not ${JSON.stringify(dn)}`);
  });
}

/** https://learn.microsoft.com/en-us/windows/win32/adschema/a-samaccountname; Samba accepts more characters than Windows. */
export const REFUSED_IN_NAMES = /["/\\[\]:;|=,+*?<>{}]|[^\x20-\x7e]|^ |[ .]$/;

function groupNameTemplate(value: string): string {
  const parts = /^(.*)(?:\{account_id\}(.*)\{role\}|\{role\}(.*)\{account_id\})(.*)$/.exec(value)?.slice(1);
  if (parts !== undefined && !REFUSED_IN_NAMES.test(`-${parts.join('')}-`) && value.trim() === value) return value;
  throw new Error('must hold {account_id} and {role}, each once, and beside them only what a group may be named by');
}

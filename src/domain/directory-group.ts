const OUTCOMES = ['created', 'adopted', 'would_create', 'would_adopt'] as const;

/** The records' map `directory_group`. */
export interface DirectoryGroup {
  name: string;
  /** Missing while there is no group. */
  object_guid?: string;
  dn: string;
  outcome: (typeof OUTCOMES)[number];
}

export interface GroupRequest {
  account_id: string;
  role: string;
  request_id: string;
  /** This job and the jobs that it resumes. A group that one of them added counts as created. */
  job_ids: string[];
  /** The server that an earlier, unanswered add was sent to. The group is looked for there alone. */
  sent_to?: DirectoryServer | undefined;
}

/** A domain controller: its `dnsHostName` and its IP address, since one name may stand for several servers. */
export interface DirectoryServer {
  name: string;
  address: string;
}

/** IPv4, or IPv6, with a zone if it is link-local. A name is refused, because it could lead to another server. */
const IP_ADDRESS = /^(?:\d{1,3}(?:\.\d{1,3}){3}|[\da-f]*:[\da-f:.]*(?:%\w+)?)$/i;

/** Limit for each text of a group or server. Both records hold them; a DynamoDB item holds at most 400 KB. */
export const DIRECTORY_TEXT_MAX_CHARACTERS = 2_048;

export function isDirectoryGroup(value: unknown): value is DirectoryGroup {
  const { name, dn, object_guid = '', outcome } = (value ?? {}) as Partial<Record<keyof DirectoryGroup, unknown>>;
  const texts = { name, dn, object_guid };
  return hasTexts(texts, Object.keys(texts), DIRECTORY_TEXT_MAX_CHARACTERS) && OUTCOMES.some((one) => one === outcome);
}

export function isDirectoryServer(value: unknown): value is DirectoryServer {
  if (!hasTexts(value, ['name', 'address'], DIRECTORY_TEXT_MAX_CHARACTERS)) return false;
  return IP_ADDRESS.test((value as DirectoryServer).address);
}

/** Requires well-formed Unicode, because DynamoDB does not promise to accept other text. */
export function hasTexts(value: unknown, names: readonly string[], maxCharacters = Number.POSITIVE_INFINITY): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const texts = names.map((name) => (value as Record<string, unknown>)[name]);
  return texts.every((text) => typeof text === 'string' && text.isWellFormed() && text.length <= maxCharacters);
}

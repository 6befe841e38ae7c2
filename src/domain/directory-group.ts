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
  /** The job, and those that it resumes: a group that one of them made counts as created. */
  job_ids: string[];
  /** Where an add was sent to before that was not answered: there alone it is looked for. */
  sent_to?: DirectoryServer | undefined;
}

/** A domain controller: its `dnsHostName`, and its IP address, since behind one name there may be several. */
export interface DirectoryServer {
  name: string;
  address: string;
}

/** Of version 4, or of version 6, with a zone if it is a link's own. A name is none: it could lead to another server. */
const IP_ADDRESS = /^(?:\d{1,3}(?:\.\d{1,3}){3}|[\da-f]*:[\da-f:.]*(?:%\w+)?)$/i;

/** Of each of their texts: both records hold them, and DynamoDB at most 400 KB of an item. */
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

/** Of well-formed Unicode: DynamoDB promises to take no other. */
export function hasTexts(value: unknown, names: readonly string[], maxCharacters = Number.POSITIVE_INFINITY): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const texts = names.map((name) => (value as Record<string, unknown>)[name]);
  return texts.every((text) => typeof text === 'string' && text.isWellFormed() && text.length <= maxCharacters);
}

/** `--directory`: checks whether groups can be made, and whether the recorded groups are unchanged. */
import { readDirectorySettings, type Environment } from '../../../config/settings.ts';
import { isDirectoryGroup } from '../../../domain/directory-group.ts';
import { KEYS, pagesOf, type Item } from '../../../records/items.ts';
import { CliError } from '../../errors/cli-error.ts';
import type { Services } from '../../services.ts';
import type { Finding, FindingKind } from './findings.ts';

const PAGE = 250;
const EXPIRES_WITHIN_MS = 30 * 24 * 3_600_000;

/** @throws CliError `usage` if the directory's settings are missing */
export async function* directoryFindings(env: Environment, { tables }: Services): AsyncGenerator<Finding> {
  const settings = readDirectorySettings(env);
  if (settings === undefined) throw new CliError('usage', "--directory needs the worker's DIRECTORY_URL and the rest");
  const { Directory } = await import('../../../directory/directory.ts');
  const found = (finding: FindingKind, reason: string, subject: Item = {}): Finding => {
    return { finding, about: reason, subject, reason, fix: 'by hand, see docs/directory.md' };
  };
  const survey = await new Directory(settings).survey().catch((err: Error) => err);
  if (survey instanceof Error) return yield found('DirectoryUnusable', survey.message);
  const { certificateExpires, whyNoRight, groups } = survey;
  if (whyNoRight !== undefined) yield found('DirectoryUnusable', whyNoRight);
  if (certificateExpires.getTime() - Date.now() < EXPIRES_WITHIN_MS) {
    yield found('DirectoryUnusable', `the domain controller's certificate expires ${certificateExpires.toISOString()}`);
  }
  for (const { dn } of groups.filter((group) => group.dn.includes(String.raw`\0ACNF:`))) {
    yield found('DirectoryGroupDuplicate', `${dn} was made on two domain controllers at once`);
  }
  const namesOf = ({ name, dn }: { name: string; dn: string }) => `${name}, ${dn.split(',', 1)[0]}`;
  const known = new Map(groups.map((group) => [group.object_guid, namesOf(group)]));
  for await (const page of pagesOf(tables, 'status', [...KEYS.status, 'directory_group'], PAGE)) {
    for (const { directory_group: group, ...subject } of page) {
      if (!isDirectoryGroup(group) || group.object_guid === undefined || group.outcome.startsWith('would')) continue;
      const now = known.get(group.object_guid);
      if (now === undefined) yield found('DirectoryGroupGone', `${group.dn} is no longer in the OU`, subject);
      else if (now !== namesOf(group)) yield found('DirectoryGroupRenamed', `${group.dn} is now ${now}`, subject);
    }
  }
}

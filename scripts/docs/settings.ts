/** Generates docs/settings.md from the table by which the programs read their settings. */
import {
  CLIENT_SETTINGS,
  CODEC_SERVER_SETTINGS,
  SETTINGS,
  WORKER_SETTINGS,
  type Setting,
  type SettingName,
} from '../../src/config/settings.ts';
import { TRACING_SETTINGS } from '../../src/config/tracing.ts';
import { code, formatted, MADE_BY, table } from './markdown.ts';

const NAMES = Object.keys(SETTINGS) as SettingName[];

/** Headings with patterns of names. A setting is listed under the first heading that matches. */
const GROUPS: readonly (readonly [title: string, name: RegExp])[] = [
  ['The build API', /^(API|BUILD_API)_/],
  ['Encryption of payloads', /^ENCRYPTION_/],
  ['Codec server', /^CODEC_SERVER_/],
  ['Directory groups', /^DIRECTORY_/],
  ['Traces', /^OTEL_/],
  ['Limits of a worker', /^WORKER_/],
  ['Names, addresses, log', /^/],
];

const READERS: readonly (readonly [program: string, names: readonly string[]])[] = [
  ['worker', [...WORKER_SETTINGS, ...Object.keys(TRACING_SETTINGS)]],
  ['command line', [...CLIENT_SETTINGS, ...Object.keys(TRACING_SETTINGS)]],
  ['codec server', CODEC_SERVER_SETTINGS],
];

export async function settingsPage(): Promise<string> {
  const groupOf = Map.groupBy(NAMES, (name) => GROUPS.find(([, pattern]) => pattern.test(name))?.[0]);
  const sections = GROUPS.map(([title]) => section(title, groupOf.get(title) ?? []));
  return formatted(`${MADE_BY}
# Settings

Which variables do the programs read, and what do they take?

All settings are variables of the environment, read once at a program's start. If some are missing or wrong, it names them all and ends with exit code 2. An empty variable counts as not set. See what is in force:

\`\`\`sh
role-build config
\`\`\`

${sections.join('\n')}
## Variables of others

- Temporal's [\`TEMPORAL_ADDRESS\`, \`TEMPORAL_NAMESPACE\`, \`TEMPORAL_API_KEY\`, \`TEMPORAL_TLS_…\`](https://docs.temporal.io/develop/environment-configuration)
  and \`temporal.toml\`: worker and command line.
- AWS's [\`AWS_REGION\`](https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html) (else \`AWS_DEFAULT_REGION\`), \`AWS_ENDPOINT_URL_DYNAMODB\`,
  credentials, and \`~/.aws\`: all programs.
- OpenTelemetry's other variables: see [traces](traces.md).
- \`ENCRYPTED_JWT\`, the caller's credential: the command line.
- \`API_ALB_FQDN\`: \`role-build doctor --ask-api\` too.
- \`NODE_EXTRA_CA_CERTS\`: all programs, see [TLS](deployment.md#tls).
`);
}

const COLUMNS: Readonly<Record<string, (name: SettingName, one: Setting<unknown>) => string>> = {
  variable: code,
  'read by': (name) => readersOf(name).join(', '),
  default: (_, one) => defaultOf(one),
  takes: (_, one) => takes(one),
  example: (_, one) => code(one.example),
  meaning: (_, one) => one.meaning,
};

function section(title: string, names: readonly SettingName[]): string {
  const cellsOf = (head: string) => names.map((name) => COLUMNS[head]?.(name, SETTINGS[name]) ?? '');
  // A column whose cells are all the same is left out; a sentence then names the programs that read the settings.
  const heads = Object.keys(COLUMNS).filter((head) => new Set(cellsOf(head)).size > 1);
  const rows = names.map((_, row) => heads.map((head) => cellsOf(head)[row] ?? ''));
  const readers = new Intl.ListFormat('en').format(readersOf(names[0] ?? '').map((program) => `the ${program}`));
  const sentence = heads.includes('read by') ? '' : `Read by ${readers}.\n\n`;
  return `## ${title}\n\n${sentence}${table(heads, rows)}\n`;
}

function readersOf(name: string): string[] {
  return READERS.filter(([, names]) => names.includes(name)).map(([program]) => program);
}

function defaultOf({ default: fallback, requiredBy }: Setting<unknown>): string {
  if (fallback === undefined) return `required by the ${requiredBy}`;
  return fallback === '' ? 'none' : code(fallback);
}

/** Returns the range of a number with its unit, or the values if they can be listed. */
function takes({ range, unit, values }: Setting<unknown>): string {
  if (range !== undefined) return `${range.map((end) => end.toLocaleString('en')).join(' to ')} ${unit}`;
  return values === undefined ? '' : values.map(code).join(', ');
}

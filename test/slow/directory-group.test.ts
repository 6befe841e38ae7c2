/** Builds that also request a group: a real worker, and a directory behind a proxy that injects faults. */
import assert from 'node:assert/strict';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Client } from 'ldapts';
import { startDirectory, type DirectoryServer } from '../../dev/servers/directory.ts';
import { DOMAIN, GROUP_OU } from '../../dev/simulated-directory/server.ts';
import { RESULT } from '../../dev/simulated-directory/messages.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { startLdapFront, type LdapFront } from '../support/ldap-front.ts';
import { readMetrics } from '../support/metrics-page.ts';
import {
  ACCOUNT,
  CREDENTIAL,
  inputFor,
  letSucceed,
  parseJson,
  startTestStack,
  until,
  type TestStack,
} from '../support/stack.ts';
import { exitsWith } from '../support/exits-with.ts';

/** Temporal misses a worker after 15 s without a heartbeat; the rest is for a busy machine. */
const DEAD_WORKER_MS = 300_000;

describe('a build that requests a group', { concurrency: 4 }, () => {
  let stack: TestStack;
  let directory: DirectoryServer;
  const fronts: LdapFront[] = [];
  let front: LdapFront;
  before(async () => {
    directory = await startDirectory();
    stack = await startTestStack();
    front = await startFront();
    await stack.startWorker({ settings: settingsThrough(front) });
  });
  after(async () => {
    await stack.stop();
    for (const one of fronts) await one.stop();
    await directory.stop();
  });

  const startFront = async () => {
    const one = await startLdapFront(directory.url, directory.authority.issue('front', ['127.0.0.1']));
    fronts.push(one);
    return one;
  };
  const settingsThrough = ({ url }: LdapFront, taskQueue?: string) => ({
    ...directory.settings,
    DIRECTORY_URL: url,
    DIRECTORY_TIMEOUT_SECONDS: '5',
    ...(taskQueue === undefined ? {} : { ROLE_BUILD_TASK_QUEUE: taskQueue }),
  });
  const inputOf = (name: string, more: Partial<RoleBuildInput> = {}) =>
    inputFor(stack, name, { polls: 0 }, { directory_group: true, ...more });
  /** Uses a task queue of its own, for a worker of its own. */
  const run = async (args: string[], input: RoleBuildInput, taskQueue: string) => {
    const settings = { ROLE_BUILD_TASK_QUEUE: taskQueue };
    const result = await stack.cli([...args, '--json'], { stdin: JSON.stringify(input), settings });
    return { ...result, json: parseJson(result) };
  };
  const watch = ({ ddb_composite_sort_key }: RoleBuildInput) => stack.cli(['watch', ACCOUNT, ddb_composite_sort_key]);
  const posts = (input: RoleBuildInput) =>
    stack.buildApi.requests(input.correlation_id).filter(({ method }) => method === 'POST');
  const nameFor = (role: string) => `AWS-${ACCOUNT}-${role}`;
  const groupsOf = (role: string) => directory.groups().filter((dn) => dn.includes(nameFor(role)));
  const errorOf = (json: Record<string, unknown>) => json['error_info'] as { Error: string; Cause: string };
  /** In both records. */
  const recordedGroups = async (input: RoleBuildInput) => {
    const { status, history } = await stack.records(input);
    return [status, history].map((record) => record?.['directory_group']?.M);
  };

  it('a build that requests a group creates it and names it in both records', async () => {
    const input = inputOf('created');
    const { code, json, stderr } = await stack.build(input);
    assert.equal(code, 0, stderr);
    const { object_guid, ...group } = json['directory_group'] as Record<string, string>;
    const dn = `CN=${nameFor('created')},${GROUP_OU}`;
    assert.deepEqual(group, { name: nameFor('created'), dn, outcome: 'created' });
    assert.deepEqual(groupsOf('created'), [dn]);
    for (const recorded of await recordedGroups(input)) {
      assert.deepEqual(recorded, {
        name: { S: nameFor('created') },
        object_guid: { S: object_guid },
        dn: { S: dn },
        outcome: { S: 'created' },
      });
    }
  });

  it('a build that requests a group can do so by an option of start or a column of a batch', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'groups-'));
    t.after(() => rm(folder, { recursive: true }));
    const settings = { ENCRYPTED_JWT: CREDENTIAL };
    const flags = ['--account', ACCOUNT, '--role', 'by-option', '--url', stack.buildApiUrl, '--directory-group'];
    const started = await stack.cli(['start', ...flags, '--poll-interval-seconds', '1', '--wait'], { settings });
    assert.equal(started.code, 0, started.stderr);
    assert.equal(groupsOf('by-option').length, 1);

    const lines = ['account_id,custom_role_name,directory_group', `${ACCOUNT},with,TRUE`, `${ACCOUNT},without,false`];
    const options = ['--format', 'csv', '--url', stack.buildApiUrl, '--poll-interval-seconds', '1', '--wait'];
    const batch = await stack.cli(['batch', '-', ...options, '--report', join(folder, 'report')], {
      stdin: lines.join('\n'),
      settings,
    });
    assert.equal(batch.code, 0, batch.stderr);
    assert.deepEqual([groupsOf('with').length, groupsOf('without').length], [1, 0]);
  });

  it('a build that requests a group only looks for it on a dry run', async () => {
    const input = inputOf('dry');
    input.build_body.dry_run = true;
    const { code, stderr } = await stack.build(input);
    assert.equal(code, 0, stderr);
    const dn = `CN=${nameFor('dry')},${GROUP_OU}`;
    for (const recorded of await recordedGroups(input)) {
      assert.deepEqual(recorded, { name: { S: nameFor('dry') }, dn: { S: dn }, outcome: { S: 'would_create' } });
    }
    assert.deepEqual(groupsOf('dry'), []);
  });

  it('a build that requests no group records none', async () => {
    const input = inputFor(stack, 'not-asked', { polls: 0 });
    await exitsWith(0, stack.build(input));
    assert.deepEqual(await recordedGroups(input), [undefined, undefined]);
    assert.deepEqual(groupsOf('not-asked'), []);
  });

  it('a build that requests a group fails before its POST if the name is taken elsewhere', async () => {
    const administrator = new Client({ url: directory.url, tlsOptions: { ca: directory.authority.cert } });
    await administrator.bind('Administrator@corp.example.com', 'example-not-a-password');
    const dn = `CN=${nameFor('taken')},CN=Users,${DOMAIN}`;
    await administrator.add(dn, { objectClass: ['top', 'group'], sAMAccountName: nameFor('taken') });
    await administrator.unbind();
    const input = inputOf('taken');
    const { code, json, stderr } = await stack.build(input);
    assert.equal(code, 1, stderr);
    assert.equal(errorOf(json).Error, 'DirectoryGroupConflict');
    assert.ok(errorOf(json).Cause.includes(dn), errorOf(json).Cause);
    assert.deepEqual(posts(input), []);
    assert.deepEqual(await recordedGroups(input), [undefined, undefined]);
  });

  it('a build that requests a group says that the role exists if the group is refused later, and resume continues with the group', async () => {
    const taskQueue = 'refused';
    const own = await startFront();
    own.decide = (operation) =>
      operation === 'add' ? { code: RESULT.insufficientAccessRights, message: 'no right any more' } : undefined;
    await stack.startWorker({ settings: settingsThrough(own, taskQueue) });
    const input = inputOf('refused');
    const first = await run(['start', '--input', '-', '--wait'], input, taskQueue);
    assert.equal(first.code, 1, first.stderr);
    assert.equal(first.json['status'], 'FAILED');
    assert.equal(errorOf(first.json).Error, 'DirectoryRefused');
    assert.match(errorOf(first.json).Cause, /role exists/);
    assert.equal(typeof first.json['build_id'], 'string');

    own.decide = () => undefined;
    const { directory_group: _, ...withoutGroup } = input;
    const half = ['resume', ACCOUNT, input.ddb_composite_sort_key, '--input', '-'];
    const refused = await stack.cli(half, { stdin: JSON.stringify(withoutGroup) });
    assert.equal(refused.code, 2, refused.stderr);
    assert.match(refused.stderr, /directory_group differ from the record/);

    const second = await run(['resume', ACCOUNT, input.ddb_composite_sort_key, '--wait'], input, taskQueue);
    assert.equal(second.code, 0, second.stderr);
    assert.equal(second.json['build_id'], first.json['build_id']);
    assert.equal((second.json['directory_group'] as { outcome: string }).outcome, 'created');
    assert.equal(posts(input).length, 1);
    assert.equal(groupsOf('refused').length, 1);
  });

  it('a build that requests a group creates none if it is cancelled before the add', async () => {
    const taskQueue = 'cancelled';
    const own = await startFront();
    const input = inputOf('cancelled');
    const isBuilt = () => stack.buildApi.requests(input.correlation_id).length > 1;
    const { promise: isCancelled, resolve: goOn } = Promise.withResolvers<void>();
    let looks = 0;
    own.decide = async (operation) => {
      if (operation !== 'search' || !isBuilt()) return undefined;
      looks += 1;
      await isCancelled;
      return undefined;
    };
    await stack.startWorker({ settings: { ...settingsThrough(own, taskQueue), DIRECTORY_TIMEOUT_SECONDS: '30' } });
    await run(['start', '--input', '-'], input, taskQueue);
    await until('the group is looked for', () => looks > 0);
    await run(['cancel', ACCOUNT, input.ddb_composite_sort_key], input, taskQueue);
    goOn();
    const ended = await run(['watch', ACCOUNT, input.ddb_composite_sort_key], input, taskQueue).catch(() => undefined);
    const { status } = await stack.records(input);
    assert.equal(status?.['status']?.S, 'CANCELLED', ended?.stderr);
    assert.equal(own.count('add'), 0);
    assert.deepEqual(groupsOf('cancelled'), []);
  });

  it("a build that requests a group and is resumed asks the domain controller that the earlier job's add went to", async () => {
    const taskQueue = 'sent';
    const own = await startFront();
    await stack.startWorker({ settings: settingsThrough(own, taskQueue) });
    const input = inputOf('sent');
    // The server took the add, but its answer was lost.
    const blind = () => (own.count('add') > 0 ? 'cut-before' : undefined);
    own.decide = (operation) => (operation === 'add' ? 'cut' : blind());
    await run(['start', '--input', '-'], input, taskQueue);
    await until('the add was sent', () => own.count('add') >= 1);
    await run(['cancel', ACCOUNT, input.ddb_composite_sort_key, '--wait'], input, taskQueue);
    const { status, history } = await stack.records(input);
    const server = { M: { name: { S: 'dc1.corp.example.com' }, address: { S: '127.0.0.1' } } };
    for (const record of [status, history]) assert.deepEqual(record?.['error_info']?.M?.['sent_to'], server);

    own.decide = () => undefined;
    const second = await run(['resume', ACCOUNT, input.ddb_composite_sort_key, '--wait'], input, taskQueue);
    assert.equal(second.code, 0, second.stderr);
    assert.equal(own.count('add'), 1);
    assert.equal((second.json['directory_group'] as { outcome: string }).outcome, 'created');
  });

  it('a worker shows a refused password in /readyz and in its metrics until the password file changes', async () => {
    const taskQueue = 'password';
    const folder = await mkdtemp(join(tmpdir(), 'password-'));
    try {
      const passwordFile = join(folder, 'password');
      await writeFile(passwordFile, 'not-the-password');
      const settings = { ...settingsThrough(front, taskQueue), DIRECTORY_PASSWORD_FILE: passwordFile };
      const worker = await stack.startWorker({ settings });
      const isShown = (value: number) =>
        until(`the gauge is ${value}`, async () => {
          const { sum } = await readMetrics(worker.metricsUrl);
          return sum('role_build_directory_password_refused') === value;
        });
      await isShown(0);
      const { json } = await run(['start', '--input', '-', '--wait'], inputOf('password'), taskQueue);
      assert.equal(errorOf(json).Error, 'DirectoryRefused');
      await isShown(1);
      const refused = await fetch(`${worker.healthUrl}/readyz`);
      assert.equal(refused.status, 503);
      assert.match(await refused.text(), /DIRECTORY_PASSWORD_FILE/);
      await copyFile(directory.settings['DIRECTORY_PASSWORD_FILE'] ?? '', passwordFile);
      await isShown(0);
      assert.equal((await fetch(`${worker.healthUrl}/readyz`)).status, 200);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it(
    'a build that requests a group waits with the role built while the directory is away',
    { timeout: DEAD_WORKER_MS },
    async () => {
      const taskQueue = 'away';
      const own = await startFront();
      await stack.startWorker({ settings: settingsThrough(own, taskQueue) });
      const input = inputFor(stack, 'away', { outcome: 'NEVER' }, { directory_group: true });
      await run(['start', '--input', '-'], input, taskQueue);
      await until('it is triggered', () => posts(input).length >= 1);
      await own.close();
      letSucceed(stack, input);
      const status = ['status', ACCOUNT, input.ddb_composite_sort_key];
      await until('status says that the group waits', async () => {
        const { stdout, stderr } = await stack.cli(status);
        return /role built, group waits/.test(stdout + stderr);
      });
      await own.open();
      const watched = await watch(input);
      assert.equal(watched.code, 0, watched.stderr);
      assert.equal(groupsOf('away').length, 1);
      assert.equal((await recordedGroups(input))[0]?.['outcome']?.S, 'created');
    },
  );

  it(
    'a build that requests a group has it made once though the worker dies between the add and its answer',
    { timeout: DEAD_WORKER_MS },
    async () => {
      const taskQueue = 'killed';
      const own = await startFront();
      own.decide = (operation) => (operation === 'add' ? 'silence' : undefined);
      const settings = { ...settingsThrough(own, taskQueue), DIRECTORY_TIMEOUT_SECONDS: '30' };
      const first = await stack.startWorker({ settings });
      const input = inputOf('killed');
      await run(['start', '--input', '-'], input, taskQueue);
      await until('the group is there', () => groupsOf('killed').length >= 1);
      await first.kill();
      await stack.startWorker({ settings });
      const watched = await watch(input);
      assert.equal(watched.code, 0, watched.stderr);
      assert.equal(own.count('add'), 1);
      assert.equal(groupsOf('killed').length, 1);
      for (const recorded of await recordedGroups(input)) assert.equal(recorded?.['outcome']?.S, 'created');
    },
  );
});

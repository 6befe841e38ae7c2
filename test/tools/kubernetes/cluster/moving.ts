/** The cluster of a run, and the steps of docs/kubernetes.md that several tests share. */
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { after, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../../../dev/servers/ports.ts';
import { buildsOn } from './builds.ts';
import { startCluster } from './control-plane.ts';
import { buildIdOf, imageOf, looksAt, untilSo } from './looks.ts';
import { createOverlay } from './overlay.ts';
import { commandsOf } from './page.ts';
import { Session } from './session.ts';

const KUBERNETES = process.env['KUBERNETES_VERSION'] ?? 'v1.35.4';
const BUILD = fileURLToPath(new URL('../../../../scripts/build.ts', import.meta.url));
const RECORDED = new URL('recorded.md', import.meta.url);

const ports = { temporal: await freePort(), dynamoDb: await freePort(), buildApi: await freePort() };
execFileSync(process.execPath, [BUILD], { stdio: 'inherit' });
const cluster = await startCluster(KUBERNETES, ports);
export const session = new Session(cluster);
export const overlay = await createOverlay(cluster.folder, ports);
export const look = looksAt(cluster.api);
export const builds = buildsOn(ports, cluster.folder, () => look.secret('encryption-keys', 'ENCRYPTION_KEYS'));

let hasFailed = false;
after(async () => {
  await cluster.stop();
  if (!hasFailed && process.argv.includes('--record')) await writeFile(RECORDED, session.record(KUBERNETES));
});

const of = (heading: string, what: string): string => {
  const found = commandsOf(heading).find((command) => command.includes(what));
  if (found === undefined) throw new Error(`docs/kubernetes.md has no ${what} below "${heading}"`);
  return found;
};

const ONE_MACHINE = 'Kubernetes on one machine';
const ROLL_OUT = 'Roll out and back';
export const typed = {
  useNamespace: of(ONE_MACHINE, 'set-context'),
  makeNamespace: of(ONE_MACHINE, 'namespace.yaml'),
  makeSecret: of(ONE_MACHINE, 'create secret'),
  install: of(ONE_MACHINE, 'apply -k'),
  waitForSetup: of(ONE_MACHINE, 'wait --for'),
  waitForWorkers: of(ROLL_OUT, 'rollout status'),
  deleteJob: of(ROLL_OUT, 'delete job'),
  diff: of(ROLL_OUT, 'kubectl diff'),
  apply: of(ROLL_OUT, 'kubectl apply'),
  undo: of(ROLL_OUT, 'rollout undo'),
  leaveOutSteps: of('At once, and back', 'AllAtOnce'),
};

export async function rollOut(): Promise<void> {
  await rollOutWithoutLast();
  await session.type(typed.waitForWorkers);
}

/** Types the steps that also apply to a version of the Worker Controller. */
export async function rollOutWithoutLast(): Promise<void> {
  const steps = commandsOf(ROLL_OUT);
  for (const command of steps.slice(0, steps.indexOf(typed.waitForWorkers))) {
    // A diff exits with 1 if there is a difference.
    await session.type(command, ...(command === typed.diff ? [0, 1] : [0]));
  }
}

/** Defines a test whose commands are recorded. */
export function move(title: string, work: () => Promise<void>): void {
  it(title, async (t) => {
    if (hasFailed) return t.skip('an earlier move failed');
    hasFailed = true;
    session.begin(title);
    const start = performance.now();
    await work();
    session.note(`All of it: ${Math.round((performance.now() - start) / 1000)} s.`);
    hasFailed = false;
  });
}

/** Waits until a condition holds, and records when. @returns the seconds since the last command ended */
export async function measured(what: string, isSo: () => Promise<boolean>): Promise<number> {
  await untilSo(what, isSo);
  const seconds = session.secondsSince();
  session.note(`${seconds.toFixed(1)} s later: ${what}.`);
  return seconds;
}

/** Does as `measured`. @returns the seconds since the last apply ended */
export async function measuredFromApply(what: string, isSo: () => Promise<boolean>): Promise<number> {
  await untilSo(what, isSo);
  const seconds = session.secondsSince(typed.apply);
  session.note(`${seconds.toFixed(1)} s after the apply: ${what}.`);
  return seconds;
}

/** Returns the version whose image has this tag, once it is the controller's target or current version. */
export async function versionOf(tag: string): Promise<string> {
  let version = '';
  await untilSo('the controller has seen the version', async () => {
    const found = (await look.versions()).find((one) => imageOf(one) === `iam-orchestrator:${tag}`);
    version = found === undefined ? '' : buildIdOf(found);
    return version !== '' && (await look.workerDeployment())?.status?.targetVersion?.buildID === version;
  });
  return version;
}

/** @returns the seconds from when a version's workers were ready until it was current */
export async function secondsUntilCurrent(version: string): Promise<number> {
  const ready = await measured(
    'two workers of the version are ready',
    async () => (await look.workersOf(version)) === 2,
  );
  return (await measured('the version is current', async () => (await look.current()) === version)) - ready;
}

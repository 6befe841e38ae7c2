/**
 * `npm run test:cluster [-- --record]`: moves a cluster from state to state with the commands of docs/kubernetes.md,
 * and checks that it then is as the page says. `--record` writes the commands and their output to `recorded.md`;
 * `KUBERNETES_VERSION` sets the version of Kubernetes. Each test continues from the previous one's state.
 */
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ON_ANY_VERSION, onVersion } from './builds.ts';
import { imageOf, isRolledOut, lowestDuring, untilSo } from './looks.ts';
import {
  builds,
  look,
  measured,
  measuredFromApply,
  move,
  overlay,
  rollOut,
  rollOutWithoutLast,
  secondsUntilCurrent,
  session,
  typed,
  versionOf,
} from './moving.ts';
import { commandsOf, inline } from './page.ts';

describe('set-up', () => {
  move('set-up that failed because its Secret was missing is repaired without a restart of workers', async () => {
    await overlay({});
    await session.type(typed.useNamespace);
    await session.type(typed.makeNamespace);
    await session.type(typed.install);
    // The pods of set-up, of two workers and of the codec server.
    await untilSo('pods wait for the Secret', async () => (await look.waiting()) === 4);
    assert.match((await session.type('kubectl get pods')).output, /setup-\w+ .*CreateContainerConfigError/);
    await measured('set-up has failed', async () => (await look.endOfSetup()) === 'DeadlineExceeded');
    await untilSo('the pod of set-up is gone', async () => (await look.pods('setup')).length === 0);

    await session.type(typed.makeSecret);
    await untilSo('both workers answer 503', async () => (await look.readiness()).join() === '503,503');
    const names = async () => (await look.pods('worker')).map(({ metadata }) => metadata.name).sort();
    const before = await names();
    await rollOutWithoutLast();
    const seconds = await measured('both workers are ready', async () => (await look.workers()) === 2);
    assert.ok(seconds < 15, `${seconds} s`);
    assert.deepEqual(await names(), before);
    for (const { status } of await look.pods('worker')) assert.equal(status.containerStatuses?.[0]?.restartCount, 0);
  });

  move('set-up continues if its Secret is created before its deadline', async () => {
    await session.type('kubectl delete secret encryption-keys');
    await session.type(typed.deleteJob);
    await session.type(typed.apply);
    await untilSo('set-up waits for the Secret', async () => (await look.waiting()) === 1);
    await session.type(typed.makeSecret);
    await session.type(typed.waitForSetup);
    await session.type(inline('kubectl logs job/setup'));
  });
});

describe('the plain Deployment', () => {
  move('a second apply reports everything except the PodDisruptionBudgets as unchanged', async () => {
    const lines = (await session.type(typed.apply)).output.trim().split('\n');
    assert.ok(lines.length > 20, `${lines.length}`);
    assert.deepEqual(
      lines.filter((line) => !line.endsWith(' unchanged')),
      ['poddisruptionbudget.policy/codec-server configured', 'poddisruptionbudget.policy/worker configured'],
    );
  });

  move('the label selects every object', async () => {
    const rendered = await session.type('kubectl get -k deploy/kubernetes/overlays/local --output name');
    const kinds = [
      ...new Set(
        rendered.output
          .trim()
          .split('\n')
          .map((name) => name.split('/')[0]),
      ),
    ].join();
    const selector = '--selector app.kubernetes.io/part-of=iam-orchestrator';
    const selected = await session.type(`kubectl get ${kinds} ${selector} --output name`);
    const labelled = new Set(selected.output.split('\n'));
    assert.deepEqual(
      rendered.output.split('\n').filter((name) => !labelled.has(name)),
      [],
    );
  });

  move('a diff fails because of the Job of set-up, and shows the changes once the Job is deleted', async () => {
    await overlay({ tag: 'second' });
    const beside = (await session.type(typed.diff, 1, 2)).output;
    assert.match(beside, /field is immutable/);
    assert.doesNotMatch(beside, /^\+/m);
    await session.type(typed.deleteJob);
    assert.match((await session.type(typed.diff, 1)).output, /\+ +image: iam-orchestrator:second/);
  });

  move('in a roll-out a new worker is ready before an old one stops, and no build is lost', async () => {
    await builds.start('roll-out', 8, 40);
    assert.equal(await lowestDuring(look.workers, rollOut), 2);
    await overlay({ tag: 'third', components: ['setup', 'opentelemetry'] });
    assert.match((await session.type(typed.apply, 1)).output, /field is immutable/);
    assert.equal(await lowestDuring(look.workers, rollOut), 2);
    await builds.allEnd('roll-out', 8);
  });

  move('rollout undo restores image and settings, even if the apply that began the roll-out pruned', async () => {
    await overlay({ tag: 'fourth', settings: 'LOG_LEVEL=warn' });
    await session.type(typed.deleteJob);
    const [prune = ''] = commandsOf('Prune');
    const { output } = await session.type(prune);
    assert.match(output, /networkpolicy.networking.k8s.io\/worker-traces pruned/);
    assert.doesNotMatch(output, /configmap.* pruned/);
    await session.type(typed.waitForWorkers);
    assert.equal(imageOf(await look.deployment()), 'iam-orchestrator:fourth');
    await session.type(typed.undo);
    await session.type(typed.waitForWorkers);
    assert.equal(imageOf(await look.deployment()), 'iam-orchestrator:third');
    assert.equal(await look.workers(), 2);
  });

  move('a prune deletes only settings that no ReplicaSet and no Job names any more', async () => {
    const oldest =
      'kubectl get replicasets --selector app.kubernetes.io/name=worker --sort-by .metadata.creationTimestamp';
    // Kubernetes does so after `revisionHistoryLimit`. Both ReplicaSets have the settings of the installation.
    await session.type(`kubectl delete $(${oldest} --output name | head -2)`);
    const before = await look.configMaps();
    const [, deleteSettings = ''] = commandsOf('Prune');
    await session.type(deleteSettings);
    const after = await look.configMaps();
    const [deleted, ...others] = before.filter((name) => !after.includes(name));
    assert.match(deleted ?? '', /^worker-settings-/);
    assert.deepEqual(others, []);
    await session.type(typed.undo);
    await session.type(typed.waitForWorkers);
    assert.equal(imageOf(await look.deployment()), 'iam-orchestrator:fourth');
  });
});

describe('KEDA', () => {
  const replicas = async () => (await look.deployment())?.spec.replicas ?? 0;
  /** Returns the replicas that an apply would set. */
  const applied = async () => {
    const each = '{range .items[?(@.kind=="Deployment")]}{.metadata.name}: {.spec.replicas}{"\\n"}{end}';
    const { output } = await session.type(`${typed.apply} --dry-run=server --output 'jsonpath=${each}'`);
    return /^worker: (\d+)$/m.exec(output)?.[1];
  };

  move('six workers remain six when KEDA gets the Deployment, and five remain five when KEDA is removed', async () => {
    await overlay({});
    await rollOut();
    await session.type('kubectl scale deployment worker --replicas 6');
    await session.type(typed.waitForWorkers);
    await overlay({ components: ['setup', 'keda'] });
    assert.equal(await applied(), '1', 'by an apply alone');
    for (const command of commandsOf('KEDA')) await session.type(command);
    assert.equal(await applied(), '6');
    assert.equal(await lowestDuring(replicas, rollOut), 6);
    assert.equal(await look.workers(), 6);

    // KEDA would do this.
    await session.type('kubectl scale deployment worker --replicas 5');
    await rollOut();
    assert.match((await session.type(inline('kubectl get deployment worker'))).output, /worker +5\/5/);
    await overlay({ replicas: 5 });
    await session.type(inline('kubectl delete scaledobject worker'));
    assert.equal(await lowestDuring(replicas, rollOut), 5);
    assert.equal(await look.workers(), 5);
    await overlay({});
    await rollOut();
  });
});

describe('the Worker Controller', () => {
  const components = ['setup', 'worker-controller'];

  move('the first version after the plain Deployment goes through the steps while the plain workers run', async () => {
    await builds.start('to', 8, 100);
    await overlay({ components });
    await rollOutWithoutLast();
    const version = await versionOf('local');
    const shares = new Set<number | undefined>();
    const seconds = await measuredFromApply('the version is current', async () => {
      shares.add((await look.workerDeployment())?.status?.targetVersion?.rampPercentage);
      return (await look.current()) === version;
    });
    assert.ok(seconds > 60 && seconds < 120, `${seconds} s`);
    assert.ok(shares.has(5) && shares.has(50), [...shares].join());
    assert.equal(await look.plainWorkers(), 2);
    await session.type(inline('kubectl get workerdeployment worker'));
    await session.type(inline('kubectl delete deployment worker'));
    await builds.allEnd('to', 8);
  });

  move('a version without the steps is current as soon as its workers are ready, until the next apply', async () => {
    await overlay({ components, tag: 'second' });
    await rollOutWithoutLast();
    await session.type(typed.leaveOutSteps);
    const seconds = await secondsUntilCurrent(await versionOf('second'));
    assert.ok(seconds < 25, `${seconds} s`);
    await session.type(typed.apply);
    assert.equal((await look.workerDeployment())?.spec.rollout.strategy, 'Progressive');
  });

  move(
    'a return to the old version during the steps takes effect at once, and the new version gets no more builds',
    async () => {
      const second = await versionOf('second');
      await overlay({ components, tag: 'third' });
      await rollOutWithoutLast();
      const third = await versionOf('third');
      await measured('the third version has its share', async () => (await builds.routing()).ramping === third);
      await overlay({ components, tag: 'second' });
      await session.type(typed.deleteJob);
      await session.type(typed.apply);
      const seconds = await measured(
        'it has none any more',
        async () => (await builds.routing()).ramping === undefined,
      );
      assert.ok(seconds < 15, `${seconds} s`);
      assert.equal((await builds.routing()).current, second);
      await builds.start('none', 20, 2);
      await builds.allEnd('none', 20);
      assert.equal(await builds.count('none', onVersion(second)), 20);
    },
  );

  move(
    'a return to an earlier version after the steps goes through them too, unless the patch leaves them out',
    async () => {
      const second = await versionOf('second');
      const thirdAtOnce = async () => {
        await overlay({ components, tag: 'third' });
        await rollOutWithoutLast();
        await session.type(typed.leaveOutSteps);
        const third = await versionOf('third');
        return measured('the third version is current', async () => (await look.current()) === third);
      };
      await thirdAtOnce();
      await overlay({ components, tag: 'second' });
      await rollOutWithoutLast();
      const steps = await measuredFromApply(
        'the second version is current again',
        async () => (await look.current()) === second,
      );
      assert.ok(steps > 55 && steps < 90, `${steps} s`);
      const seconds = await thirdAtOnce();
      assert.ok(seconds < 10, `${seconds} s`);
    },
  );

  move('a change of the Connection restarts the workers of every version, of four workers one at a time', async () => {
    const patch = '- { op: replace, path: /spec/replicas, value: 4 }';
    await overlay({ components, tag: 'third', patches: [{ target: { kind: 'WorkerDeployment' }, patch }] });
    await rollOutWithoutLast();
    const third = await versionOf('third');
    await untilSo('four workers are ready', async () => (await look.workersOf(third)) === 4);
    for (const { spec } of await look.versions()) {
      assert.equal(spec.minReadySeconds, 10);
      assert.equal(spec.progressDeadlineSeconds, 600);
      assert.deepEqual(spec.strategy.rollingUpdate, { maxSurge: '25%', maxUnavailable: '25%' });
    }
    const before = (await look.pods('worker')).map(({ metadata }) => metadata.name);
    assert.ok(before.length > 4, 'an old version has workers too');
    const hostPort = builds.address.replace('127.0.0.1', 'localhost');
    const lowest = await lowestDuring(
      () => look.workersOf(third),
      async () => {
        const change = JSON.stringify({ spec: { hostPort } });
        await session.type(`kubectl patch connection temporal --type merge --patch '${change}'`);
        await measured('every worker is another', async () => {
          const now = await look.pods('worker');
          const isAnother = now.every(({ metadata }) => !before.includes(metadata.name));
          return isAnother && (await look.versions()).every(isRolledOut);
        });
      },
    );
    session.note(`At least ${lowest} of four were ready.`);
    assert.equal(lowest, 3);
  });

  move('a return to the plain Deployment loses no build, and new builds go to its workers at once', async () => {
    await builds.start('back', 8, 60);
    await overlay({ tag: 'third' });
    await rollOut();
    await builds.start('before', 4, 2);
    await builds.allEnd('before', 4);
    assert.equal(await builds.count('before', ON_ANY_VERSION), 4, 'plain workers get nothing yet');
    await session.type(inline('kubectl delete workerdeployment worker --wait=false'));
    await measured('no version is current', async () => (await builds.routing()).current === undefined);
    await builds.start('after', 4, 2);
    await builds.allEnd('after', 4);
    assert.equal(await builds.count('after', ON_ANY_VERSION), 0);
    const [count = '', ...others] = commandsOf('Back to the plain Deployment');
    const onVersions = () => builds.count('', `${ON_ANY_VERSION} AND CloseTime IS NULL`);
    await measured('no build is on a version', async () => (await onVersions()) === 0);
    assert.match((await session.type(count)).output, /Total: 0/);
    assert.ok(await look.workerDeployment(), 'it stays for as long as workers of a version poll');
    for (const command of others) await session.type(command);
    await builds.allEnd('back', 8);
    assert.equal(await look.workers(), 2);
  });

  move('a move to the Worker Controller without the steps takes only until the workers are ready', async () => {
    await overlay({ components });
    await rollOutWithoutLast();
    await session.type(typed.leaveOutSteps);
    const seconds = await secondsUntilCurrent(await versionOf('local'));
    assert.ok(seconds < 25, `${seconds} s`);
    await session.type(inline('kubectl delete deployment worker'));
  });

  move(
    'a namespace that is deleted together with Temporal remains until its objects lose their finalizers',
    async () => {
      const [deleteNamespace = '', letGo = ''] = commandsOf('Delete the namespace');
      await session.type(deleteNamespace);
      await untilSo('its pods are gone', async () => (await look.pods('temporal')).length === 0);
      await delay(20_000);
      assert.match((await session.type('kubectl get namespace iam-orchestrator')).output, /Terminating/);
      await session.type(letGo);
      await measured('the namespace is gone', async () => !(await look.hasNamespace()));
    },
  );

  move('a first install with the Worker Controller goes through no steps', async () => {
    await overlay({ components });
    await session.type(typed.makeNamespace);
    await session.type(typed.makeSecret);
    await session.type(typed.install);
    await session.type(typed.waitForSetup);
    const seconds = await secondsUntilCurrent(await versionOf('local'));
    assert.ok(seconds < 25, `${seconds} s`);
  });
});

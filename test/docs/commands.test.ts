/** Checks that every command, setting, metric and alert that the documents name exists. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { it } from 'node:test';
import { CommanderError } from 'commander';
import { defineProgram } from '../../src/cli/program.ts';
import { FINDINGS } from '../../src/cli/commands/doctor/findings.ts';
import { searchAttributes } from '../../src/contract.ts';
import { FAILURES, REFUSALS } from '../../src/domain/failures.ts';
import { SETTINGS } from '../../src/config/settings.ts';
import { METRICS, type MetricName } from '../../src/domain/metrics.ts';
import { exposedName } from '../support/exposed-name.ts';
import { allPages, blocks, inlineCode, pages, read, root } from './pages.ts';

const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };

/** The code of all pages: lines of shell blocks, with continued lines joined, and inline code. */
const codes = allPages.flatMap(({ path, text }) =>
  [
    ...blocks(text, 'sh').flatMap((block) => block.replaceAll(/\\\n\s*/g, '').split('\n')),
    ...inlineCode(text).filter((code) => /^(role-build|npm|npx|node) /.test(code)),
  ].map((code) => ({ path, code })),
);

/** Splits a simple command into words, without what follows a `#`, `;`, `|`, `&`, a redirection or a parenthesis. */
function wordsOf(command: string): string[] {
  const [simple = ''] = /^(?:'[^']*'|"[^"]*"|[^#;|&<>()'"])*/.exec(command) ?? [];
  return [...simple.matchAll(/(?:'[^']*'|"[^"]*"|\S)+/g)].map(([word]) =>
    word.replaceAll(/'([^']*)'|"([^"]*)"/g, '$1$2'),
  );
}

/** Returns the arguments of `role-build`, however it is run; `undefined` for another command. */
function argumentsOf(code: string): string[] | undefined {
  const found =
    /(?:^|[\s(])(?:role-build|npm run (?:-s )?role-build --|node (?:package\/)?dist\/client\.js) (?!…)(.*)/.exec(code);
  return found === null ? undefined : wordsOf(found[1] ?? '');
}

async function faultOf(args: readonly string[]): Promise<string | undefined> {
  const program = await defineProgram();
  const silent = { writeOut: () => undefined, writeErr: () => undefined };
  for (const one of [program, ...program.commands]) one.configureOutput(silent);
  try {
    await program.parseAsync(args, { from: 'user' });
    return undefined;
  } catch (err) {
    assert.ok(err instanceof CommanderError);
    return err.code.startsWith('commander.help') ? undefined : err.message;
  }
}

it('every role-build command in the documents parses', async () => {
  let seen = 0;
  const faults: string[] = [];
  for (const { path, code } of codes) {
    // Prose often names a command with only some of its arguments.
    const args = argumentsOf(code.replaceAll(/ …/g, ''));
    if (args === undefined || args.length === 0 || args.some((arg) => arg.startsWith('['))) continue;
    seen += 1;
    const fault = await faultOf(args);
    if (fault !== undefined && !/missing required argument/.test(fault)) faults.push(`${path}: ${code}: ${fault}`);
  }
  assert.deepEqual(faults, []);
  assert.ok(seen > 50, `${seen}`);
});

it('every npm script that the documents run is in package.json', () => {
  const run = codes.flatMap(({ path, code }) =>
    [...code.matchAll(/\bnpm run (?:-s )?([\w:-]+)/g)].map(([, name = '']) => ({ path, name })),
  );
  assert.deepEqual(
    run.filter(({ name }) => scripts[name] === undefined),
    [],
  );
  assert.ok(run.length > 20);
});

it('every file and every image stage that a documented command names exists', () => {
  const stages = [...read('Dockerfile').matchAll(/^FROM .* AS (\S+)$/gm)].map(([, stage]) => stage);
  const wrong: string[] = [];
  let seen = 0;
  for (const { path, code } of codes) {
    // In these commands `deploy/worker` is a Deployment.
    if (/kubectl (exec|port-forward)/.test(code)) continue;
    for (const [, file = ''] of code.matchAll(
      /(?:^|[\s=])((?:deploy|src|test|dev|bench|scripts)\/[\w./-]+)(?=\s|$)/g,
    )) {
      seen += 1;
      if (!existsSync(`${root}/${file}`)) wrong.push(`${path}: ${file}`);
    }
    for (const [, stage] of code.matchAll(/docker build .*--target (\S+)/g)) {
      seen += 1;
      if (!stages.includes(stage)) wrong.push(`${path}: stage ${stage}`);
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(seen > 10, `${seen}`);
});

const named = (pattern: RegExp) =>
  pages.flatMap(({ path, text }) => [...text.matchAll(pattern)].map(([name]) => ({ path, name })));

it('every setting that the documents name is read by a program', () => {
  const ours =
    /(?<![\w-])(?:ROLE_BUILD_TASK|BUILD_API|WORKER|ENCRYPTION|CODEC_SERVER|HEALTH|METRICS|STATUS_TABLE|HISTORY_TABLE)_?[A-Z]*(?:_[A-Z]+)*\b/g;
  const wrong = named(ours).filter(({ name }) => name.includes('_') && !Object.hasOwn(SETTINGS, name));
  assert.deepEqual(wrong, []);
});

it('every metric of ours that the documents name is exposed by a worker', () => {
  const known = Object.keys(METRICS).map((name) => exposedName(name as MetricName));
  const wrong = named(/\brole_build_\w+/g).filter(
    ({ name }) => !known.includes(name) && !['role_build_status', 'role_build_history'].includes(name),
  );
  assert.deepEqual(wrong, []);
});

it('every alert that the documents name has a rule', () => {
  const rules = [...read('deploy/observability/alerts.yaml').matchAll(/alert: (\w+)/g)].map(([, name]) => name);
  const types = ['RoleBuildOutcome', 'RoleBuildInput'];
  const wrong = named(/\bRoleBuild[A-Z]\w+/g).filter(({ name }) => !rules.includes(name) && !types.includes(name));
  assert.deepEqual(wrong, []);
});

it('every failure, finding and search attribute that the documents name is in the code', () => {
  const known = new Set([
    ...REFUSALS,
    ...[FAILURES, FINDINGS, searchAttributes].flatMap((names) => Object.keys(names)),
    // Temporal's own search attributes and worker types, and DynamoDB's failures.
    'CloseTime',
    'StartTime',
    'ExecutionStatus',
    'ExecutionDuration',
    'WorkflowType',
    'WorkflowWorker',
    'AccessDeniedException',
    'ResourceNotFoundException',
  ]);
  const shaped =
    /\b(?:Build|Record|Execution|Custom|Held|Job|Nothing|Invalid|Table|Search|Access|Clocks|Attribute|Status|Ends|Correlation|Account|Workflow|Dry)[A-Z]\w+/g;
  const wrong = pages.flatMap(({ path, text }) =>
    inlineCode(text)
      .filter((code) => !code.includes('('))
      .flatMap((code) => [...code.matchAll(shaped)])
      .filter(([name]) => !known.has(name))
      .map(([name]) => `${path}: ${name}`),
  );
  assert.deepEqual(wrong, []);
});

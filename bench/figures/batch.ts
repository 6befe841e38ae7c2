/**
 * Builds started a second by `role-build batch` (the whole process, with its start, checks and look-ups) against a tight
 * loop on Temporal's client, already loaded. They take turns on one server without a worker.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { startRoleBuild } from '../../src/start-role-build.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { startTemporal } from '../measure/contenders.ts';
import { inputsFor, startSurroundings } from '../measure/surroundings.ts';
import type { Figure, Row } from './figure.ts';

const CLIENT = fileURLToPath(new URL('../../dist/client.js', import.meta.url));

export const batch: Figure = {
  name: 'batch',
  title: 'Starts by batch',
  async measure({ quick, progress }) {
    const [rounds, lines] = quick ? [1, 300] : [5, 2_000];
    const at = await startSurroundings();
    const temporal = await startTemporal();
    const client = new Client({ connection: await Connection.connect({ address: temporal.address }) });
    const folder = await mkdtemp(join(tmpdir(), 'bench-batch-'));
    const row: Row = {
      what: 'builds started a second',
      unit: 'starts/s',
      values: { 'role-build batch': [], 'loop on the client': [] },
      bar: { against: 'loop on the client', is: 'at least', bar: 0.9 },
    };
    const contenders: Record<string, (inputs: readonly RoleBuildInput[]) => Promise<void>> = {
      'role-build batch': async (inputs) => {
        const file = join(folder, 'builds.ndjson');
        await writeFile(file, inputs.map((input) => `${JSON.stringify(input)}\n`).join(''));
        const args = [CLIENT, 'batch', file, '--report', join(folder, 'report.ndjson')];
        const env = { ...process.env, ...at.settings, TEMPORAL_ADDRESS: temporal.address };
        await promisify(execFile)(process.execPath, args, { env });
      },
      'loop on the client': async (inputs) => {
        for (const input of inputs) await startRoleBuild(client, input);
      },
    };
    for (let round = 0; round < rounds; round += 1) {
      progress(`round ${round + 1} of ${rounds}: ${lines} builds each`);
      for (const [name, start] of Object.entries(contenders)) {
        const inputs = inputsFor(at, lines, { pollIntervalSeconds: 60 });
        const begun = performance.now();
        await start(inputs);
        row.values[name]?.push((lines * 1000) / (performance.now() - begun));
      }
    }
    await rm(folder, { recursive: true });
    await client.connection.close();
    await temporal.kill();
    await at.stop();
    return { rows: [row], notes: [`${lines} builds each time; not encrypted.`] };
  },
};

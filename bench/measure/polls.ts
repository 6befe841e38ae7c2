/** Measures what polls cost, by the kernel's counts, and how late they are, by the build API's requests. */
import { setTimeout as delay } from 'node:timers/promises';
import type { SimulatedBuildApi } from '../../dev/simulated-build-api/server.ts';
import type { RoleBuildInput } from '../../src/domain/role-build-input.ts';
import type { Contender } from './contenders.ts';
import { cpuMsOf } from './processes.ts';
import { inputsFor, type Surroundings } from './surroundings.ts';
import { untilTrue } from './until.ts';

const GIVE_UP_MS = 300_000;

export interface Polling {
  pollsPerSecond: number;
  engineMs: number;
  workerMs: number;
}

/** Starts builds, measures their polls for a while, then ends the builds. */
export async function watchPolls(
  contender: Contender,
  at: Surroundings,
  options: { builds: number; pollIntervalSeconds: number; settleMs: number; windowMs: number },
): Promise<Polling> {
  const { builds, pollIntervalSeconds, settleMs, windowMs } = options;
  const earlier = at.buildApi.builds().length;
  await contender.start(inputsFor(at, builds, { pollIntervalSeconds }));
  await untilTrue('all builds are in flight', () => at.buildApi.builds().length - earlier >= builds, GIVE_UP_MS);
  // Garbage of the starts must not count towards the polls.
  await delay(settleMs);
  at.buildApi.clearRequests();
  const [engineBefore, workerBefore] = [cpuMsOf(contender.enginePid), cpuMsOf(contender.worker.pid)];
  const begun = performance.now();
  await delay(windowMs);
  const polls = at.buildApi.requests().filter(({ method }) => method === 'GET').length;
  const polling = {
    pollsPerSecond: (polls * 1000) / (performance.now() - begun),
    engineMs: (cpuMsOf(contender.enginePid) - engineBefore) / polls,
    workerMs: (cpuMsOf(contender.worker.pid) - workerBefore) / polls,
  };
  await contender.abandon();
  return polling;
}

/**
 * Returns for each poll since a moment how much later it came than its interval after the build's POST or previous
 * poll, in milliseconds. A poll is left out if neither is among the kept requests.
 *
 * @param since epoch milliseconds
 */
export function latenesses(api: SimulatedBuildApi, pollIntervalSeconds: number, since: number): number[] {
  const names = new Map(api.builds().map((build) => [String(build.build_id), build.correlation_id]));
  const lastAnsweredAt = new Map<string, number>();
  const found: number[] = [];
  for (const { method, path, body, at, answered_at: answeredAt } of api.requests()) {
    const name =
      method === 'GET'
        ? names.get(path.slice(path.lastIndexOf('/') + 1))
        : (JSON.parse(body) as RoleBuildInput['build_body']).custom_role_name;
    if (name === undefined) continue;
    const last = lastAnsweredAt.get(name);
    if (method === 'GET' && last !== undefined && at >= since) found.push(at - last - pollIntervalSeconds * 1000);
    if (answeredAt !== null) lastAnsweredAt.set(name, answeredAt);
  }
  return found;
}

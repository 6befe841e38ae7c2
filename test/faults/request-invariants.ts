/** The invariants of the requests that the build API received. */
import { takesEffect } from '../../dev/simulated-build-api/faults.ts';
import type { RecordedRequest } from '../../dev/simulated-build-api/server.ts';
import { DEFAULT_POLL_INTERVAL_SECONDS } from '../../src/domain/role-build-input.ts';
import type { Job } from './jobs.ts';
import type { Truth } from './truth.ts';
import { nameOf, wrong, type Violation } from './violation.ts';

const ATTEMPTS = 3;
/** Temporal and this process read the same clock at slightly different moments. */
const CLOCK_MS = 5;

export function brokenByRequests(truth: Truth): Violation[] {
  return [
    ...truth.jobs.flatMap((job) => {
      const own = requestsOf(truth, job);
      return [
        ...brokenByPosts(truth, job, own),
        ...brokenByLastAnswer(truth, job, own),
        ...brokenByPace(truth, job, own),
      ];
    }),
    ...brokenByBuilds(truth),
  ];
}

/** Returns the requests with a job's request ID while it ran. Two jobs at once with one ID don't both POST. */
function requestsOf({ requests }: Truth, { input, startedMs, closedMs, triggerScheduled }: Job): RecordedRequest[] {
  if (triggerScheduled === 0) return [];
  return requests.filter(
    ({ at, headers }) =>
      at >= startedMs - CLOCK_MS &&
      at <= (closedMs ?? Infinity) + CLOCK_MS &&
      headers.some(([name, value]) => name.toLowerCase() === 'x-amzn-requestid' && value === input.correlation_id),
  );
}

/** One activity, up to three attempts with the same body, none after a cancellation or after the first poll. */
function brokenByPosts(truth: Truth, job: Job, own: readonly RecordedRequest[]): Violation[] {
  const posts = own.filter(({ method }) => method === 'POST');
  const twice = (message: string): Violation => ({ kind: 'triggered twice', message: `${nameOf(job)} ${message}` });
  const found: Violation[] = [];
  if (job.triggerScheduled > 1) found.push(twice(`scheduled triggerBuild ${job.triggerScheduled} times`));
  if (posts.length > ATTEMPTS) found.push(twice(`was POSTed ${posts.length} times`));
  if (new Set(posts.map(({ body }) => body)).size > 1) found.push(twice('was POSTed with differing bodies'));
  if (job.scheduledAfterCancel.includes('triggerBuild')) found.push(twice('was triggered after it had been cancelled'));
  const firstGet = own.find(({ method }) => method === 'GET');
  if (firstGet !== undefined && posts.some(({ n }) => n > firstGet.n))
    found.push(twice('was POSTed after its first poll'));
  if (job.end === 'COMPLETE' && !truth.builds.some(({ build_id }) => String(build_id) === job.build_id)) {
    found.push(wrong(`${nameOf(job)} ended COMPLETE with a build that the API never made: ${job.build_id}`));
  }
  return found;
}

/** At most one build for each request ID. This needs an API that honours the ID, as the simulated one does. */
function brokenByBuilds({ builds }: Truth): Violation[] {
  const seen = new Set<string>();
  return builds.flatMap(({ correlation_id }) => {
    if (!seen.has(correlation_id)) {
      seen.add(correlation_id);
      return [];
    }
    return [{ kind: 'triggered twice', message: `request ${correlation_id} has more than one build` } as const];
  });
}

/** A final last answer that was sent in full decides the end, unless a cancellation or a deadline came first. */
function brokenByLastAnswer({ builds, requests }: Truth, job: Job, own: readonly RecordedRequest[]): Violation[] {
  const last = own.findLast(({ method }) => method === 'GET');
  const build = builds.find(({ correlation_id }) => correlation_id === job.input.correlation_id);
  if (last === undefined || build === undefined || job.end === undefined) return [];
  if (last.fault !== null || last.answered_at === null || build.outcome === 'NEVER') return [];
  const polls = pollsBefore(requests, job.input.correlation_id, last.n);
  if (polls <= undecidedPolls(requests, job.input.correlation_id)) return [];
  const verdict = build.outcome === 'SUCCEEDED' ? 'COMPLETE' : 'BuildFailed';
  const allowed = [
    verdict,
    ...(job.cancelRequested ? ['CANCELLED'] : []),
    ...(job.input.deadline_seconds === undefined ? [] : ['BuildDeadlineExceeded']),
  ];
  const ended = job.failure?.type ?? job.end;
  if (allowed.includes(ended)) return [];
  return [wrong(`${nameOf(job)} was answered ${build.outcome} by the API, and ended ${ended}`)];
}

/** Counts a build's polls that took effect, up to and including a request. */
function pollsBefore(requests: readonly RecordedRequest[], correlationId: string, n: number): number {
  return requests.filter(
    (request) =>
      request.method === 'GET' && request.n <= n && takesEffect(request.fault) && isOf(request, correlationId),
  ).length;
}

/** Returns the `polls` that the first POST that took effect asked for. */
function undecidedPolls(requests: readonly RecordedRequest[], correlationId: string): number {
  const made = requests.find(
    (request) => request.method === 'POST' && takesEffect(request.fault) && isOf(request, correlationId),
  );
  return (JSON.parse(made?.body ?? '{}') as { simulate?: { polls?: number } }).simulate?.polls ?? 1;
}

function isOf({ headers }: RecordedRequest, correlationId: string): boolean {
  return headers.some(([name, value]) => name.toLowerCase() === 'x-amzn-requestid' && value === correlationId);
}

/** No poll comes sooner than its interval after the previous one, unless a process died in between. */
function brokenByPace({ deaths }: Truth, job: Job, own: readonly RecordedRequest[]): Violation[] {
  const intervalMs = (job.input.poll_interval_seconds ?? DEFAULT_POLL_INTERVAL_SECONDS) * 1000;
  return own.flatMap((request, index) => {
    const before = own[index - 1];
    if (request.method !== 'GET' || before === undefined) return [];
    const gapMs = request.at - earliestEndOf(before);
    if (gapMs >= intervalMs - CLOCK_MS || deaths.some((at) => at >= before.at && at <= request.at)) return [];
    return [
      { kind: 'polled too soon', message: `${nameOf(job)} was polled ${gapMs} ms after ${before.method}` } as const,
    ];
  });
}

/** The earliest possible end of a request: on a busy machine `answered_at` may be set long after the answer. */
function earliestEndOf({ at, fault }: RecordedRequest): number {
  return at + (fault?.delay_ms ?? 0);
}

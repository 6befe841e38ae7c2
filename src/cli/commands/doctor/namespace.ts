/** Lists a namespace's builds, and tells whether a job that it does not know may have run elsewhere. */
import type { WorkflowExecutionInfo } from '@temporalio/client';
import { parseRoleBuildId } from '../../../contract.ts';
import { BUILDS_QUERY } from '../../temporal/queries.ts';
import { isRunId } from '../../../domain/identity.ts';
import { describeBuild, firstRunIdOf } from '../../build/find.ts';
import { undefinedIf } from '../../errors/expected.ts';
import { inParallel } from '../../in-parallel.ts';
import type { Services } from '../../services.ts';
import { listPage } from '../../temporal/list-page.ts';
import type { Clock } from './clock.ts';
import { recordsOf } from './facts.ts';
import { isDenied } from './findings.ts';

const ELSEWHERE = 'it ran in another namespace or on another server than this';
const PAGE = 250;
/** The most executions that are compared with the tables. */
const LOOKED_AT = 1_000;

/** Lists all executions of builds, open ones first. */
export async function* executionPages(services: Services): AsyncGenerator<WorkflowExecutionInfo[]> {
  let token: string | undefined;
  do {
    const { executions, next } = await listPage(services, BUILDS_QUERY, PAGE, token);
    yield executions;
    token = next;
  } while (token !== undefined);
}

export type DoubtOf = ReturnType<typeof doubtsAbout>;

/** Reads the namespace only when it is first needed, and only once. */
export function doubtsAbout(services: Services, clock: Clock) {
  let keptMs: Promise<number | undefined> | undefined;
  let isOfTheseTables: Promise<boolean | undefined> | undefined;
  /** @returns why an unknown job may have run elsewhere; `undefined` if retention must have deleted it */
  return async ({ job_id, start_at = '' }: { job_id: string; start_at?: string | undefined }) => {
    if (!isRunId(job_id)) return `its job_id is not a run ID of Temporal: another program wrote it, or ${ELSEWHERE}`;
    const kept = await (keptMs ??= undefinedIf(isDenied, readRetention(services)));
    if (kept === undefined) return `the retention period of the namespace can't be read, so perhaps ${ELSEWHERE}`;
    const age = clock.earliest() - Date.parse(start_at);
    if (Number.isNaN(age)) return `no record says when it began, so perhaps ${ELSEWHERE}`;
    const retention = `Temporal keeps a workflow for ${kept / 3_600_000} h after its end`;
    if (age < kept) return `${retention}, so it was deleted, or ${ELSEWHERE}`;
    // If one of these reads is denied, the doubt stays.
    if (await (isOfTheseTables ??= undefinedIf(isDenied, hasRunTheirJobs(services)))) return undefined;
    return `Temporal knows none of the jobs in these tables here, so perhaps ${ELSEWHERE}`;
  };
}

async function readRetention({ client, namespace, temporal }: Services): Promise<number> {
  const { config } = await temporal(() => client.workflowService.describeNamespace({ namespace }));
  return Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0) * 1000;
}

/** Whether any job in the status table ran in this namespace. */
async function hasRunTheirJobs(services: Services): Promise<boolean> {
  let looked = 0;
  for await (const page of executionPages(services)) {
    const jobs = page.map(({ workflowId }) => parseRoleBuildId(workflowId) ?? {});
    const records = await recordsOf(services, 'status', jobs);
    const isTheirs = await inParallel([...page.entries()], async ([i, { workflowId, runId }]) => {
      const run = records[i] === undefined ? undefined : await describeBuild(services, workflowId, runId);
      return run !== undefined && firstRunIdOf(run) === records[i]?.['job_id'];
    });
    looked += page.length;
    if (isTheirs.includes(true)) return true;
    if (looked >= LOOKED_AT) return false;
  }
  return false;
}

/** Whether that Temporal does not know a job in this namespace proves anything: the job may have run somewhere else. */
import { parseRoleBuildId } from '../../contract.ts';
import { isRunId } from '../../domain/identity.ts';
import { itemsOf, keyText } from '../../records/items.ts';
import { describeBuild, firstRunIdOf } from '../find-build.ts';
import { inParallel } from '../in-parallel.ts';
import type { Services } from '../services.ts';
import { isDenied } from './denied.ts';
import { executionPages } from './passes.ts';
import type { JobKey } from './truth.ts';

const ELSEWHERE = 'it ran in another namespace or on another server than this';
/** Executions that are looked at for one that the tables know. */
const LOOKED_AT = 1_000;

export class Namespace {
  readonly name: string;
  readonly #services: Services;
  readonly #now: () => number;
  #keptMs: Promise<number | undefined> | undefined;
  #isOfTheseTables: Promise<boolean | undefined> | undefined;

  /** @param now Temporal's clock, in milliseconds */
  constructor(services: Services, now: () => number) {
    this.name = services.namespace;
    this.#services = services;
    this.#now = now;
  }

  /** @returns why a job that is not known here may have run elsewhere; `undefined` where retention must have taken it */
  async doubtOf({ job_id, start_at = '' }: JobKey): Promise<string | undefined> {
    if (!isRunId(job_id)) return `its job_id is no run ID of Temporal's: another program wrote it, or ${ELSEWHERE}`;
    const keptMs = await (this.#keptMs ??= unlessDenied(this.#readRetention()));
    if (keptMs === undefined) return `how long Temporal keeps a workflow may not be read, so perhaps ${ELSEWHERE}`;
    const age = this.#now() - Date.parse(start_at);
    if (Number.isNaN(age)) return `no record says when it began, so perhaps ${ELSEWHERE}`;
    const kept = `Temporal keeps a workflow for ${keptMs / 3_600_000} h after its end`;
    if (age < keptMs) return `${kept}, so it was deleted, or ${ELSEWHERE}`;
    if (await (this.#isOfTheseTables ??= unlessDenied(this.#findAnyOfTheirs()))) return undefined;
    return `Temporal knows none of the jobs in these tables here, so perhaps ${ELSEWHERE}`;
  }

  async #readRetention(): Promise<number> {
    const { client, namespace, temporal } = this.#services;
    const { config } = await temporal(() => client.workflowService.describeNamespace({ namespace }));
    return Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0) * 1000;
  }

  /** Whether any job that the status table has ran here. */
  async #findAnyOfTheirs(): Promise<boolean> {
    const { tables, dynamoDb } = this.#services;
    let looked = 0;
    for await (const page of executionPages(this.#services)) {
      const keys = page.map(({ workflowId }) => keyOf(workflowId));
      const records = await dynamoDb(() => itemsOf(tables, 'status', keys, ['account_id', 'resource', 'job_id']));
      const isTheirs = await inParallel([...page.entries()], async ([i, { workflowId, runId }]) => {
        const record = records.get(keyText('status', keys[i] ?? {}));
        const run = record === undefined ? undefined : await describeBuild(this.#services, workflowId, runId);
        return run !== undefined && firstRunIdOf(run) === record?.['job_id'];
      });
      looked += page.length;
      if (isTheirs.includes(true)) return true;
      if (looked >= LOOKED_AT) return false;
    }
    return false;
  }
}

/** What may not be looked at removes no doubt. */
function unlessDenied<T>(looked: Promise<T>): Promise<T | undefined> {
  return looked.catch((err: unknown) => {
    if (isDenied(err)) return undefined;
    throw err;
  });
}

function keyOf(workflowId: string) {
  const { accountId, resource } = parseRoleBuildId(workflowId) ?? {};
  return { account_id: accountId, resource };
}

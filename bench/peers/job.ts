/**
 * The steps of the job for the peers that don't use Temporal: the same requests to the build API and the same
 * conditional writes as the activities make.
 */
import { BuildApiError } from '../../src/build-api/error.ts';
import { BuildApi } from '../../src/build-api/client.ts';
import { readSettings, WORKER_SETTINGS } from '../../src/config/settings.ts';
import type { BuildStatusAnswer } from '../../src/domain/build-status.ts';
import type { Job } from '../../src/domain/identity.ts';
import { historyRequestOf, type RoleBuildInput } from '../../src/domain/role-build-input.ts';
import { openRecordTables } from '../../src/records/dynamodb.ts';
import { endHistoryRecord, putHistoryRecord } from '../../src/records/history-table.ts';
import { endStatusRecord, putStatusRecord } from '../../src/records/status-table.ts';

/** The retry policy of the Step Functions state machine: three attempts, 3 s and 6 s apart. */
export const RETRY = { attempts: 3, firstSeconds: 3, backoffRate: 2 } as const;

/** Whether to make another attempt after this error. */
export function isRetryable(err: unknown): boolean {
  return !(err instanceof BuildApiError) || err.retryable;
}

const settings = readSettings(process.env, WORKER_SETTINGS);
const tables = openRecordTables({ statusTable: settings.STATUS_TABLE, historyTable: settings.HISTORY_TABLE });
const buildApi = new BuildApi({
  albFqdn: settings.API_ALB_FQDN,
  allowedOrigins: settings.BUILD_API_ALLOWED_ORIGINS,
  timeoutMs: settings.BUILD_API_TIMEOUT_SECONDS * 1000,
});

async function isWritten(write: Promise<{ written: boolean }>): Promise<boolean> {
  return (await write).written;
}

export function upsertRequestRecord(input: RoleBuildInput, job: Job): Promise<boolean> {
  return isWritten(putStatusRecord(tables, input, job));
}

export function insertRequestHistory(input: RoleBuildInput, job: Job): Promise<boolean> {
  return isWritten(putHistoryRecord(tables, historyRequestOf(input), job));
}

export function triggerBuild(input: RoleBuildInput): Promise<{ build_id: string }> {
  return buildApi.triggerBuild(input, input.build_body);
}

export function getBuildStatus(input: RoleBuildInput, buildId: string): Promise<BuildStatusAnswer> {
  return buildApi.getBuildStatus(input, buildId, new AbortController().signal);
}

export function updateSuccessfulRecord(input: RoleBuildInput, job: Job, build_id: string): Promise<boolean> {
  return isWritten(endStatusRecord(tables, historyRequestOf(input), job, { status: 'COMPLETE', build_id }));
}

export function updateSuccessfulHistory(input: RoleBuildInput, job: Job, build_id: string): Promise<boolean> {
  return isWritten(endHistoryRecord(tables, historyRequestOf(input), job, { status: 'COMPLETE', build_id }, true));
}

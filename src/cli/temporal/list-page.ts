/** Lists executions by Temporal's visibility, one page at a time, in the server's order. */
import { crc32 } from 'node:zlib';
import type { WorkflowExecutionInfo } from '@temporalio/client';
import { executionInfoFromRaw } from '@temporalio/client/lib/helpers.js';
import { defined } from '../../domain/defined.ts';
import { CliError } from '../errors/cli-error.ts';
import type { Services } from '../services.ts';

/** The largest page of a Temporal server by default (`frontend.visibilityMaxPageSize`). */
const PAGE_MAX = 1_000;
const CHECKSUM_BYTES = 4;

/**
 * Lists one page. Servers list open executions first, latest start first, then closed ones, latest close first.
 *
 * @param limit the most to return; the server may return fewer even before the end
 * @param token `next` of the page before; `undefined` for the first page
 * @returns `next` is the server's token of the next page with a checksum, in base64url; `undefined` after the last
 * @throws CliError `usage` if the token is not one of these
 */
export function listPage(
  { client, namespace, temporal }: Services,
  query: string,
  limit: number,
  token: string | undefined,
): Promise<{ executions: WorkflowExecutionInfo[]; next: string | undefined }> {
  const nextPageToken = token === undefined ? undefined : fromToken(token);
  return temporal(async () => {
    const request = defined({ namespace, query, pageSize: Math.min(limit, PAGE_MAX), nextPageToken });
    const answer = await client.workflowService.listWorkflowExecutions(request);
    const { loadedDataConverter } = client.options;
    const executions = answer.executions.map((raw) => executionInfoFromRaw(raw, loadedDataConverter, raw, namespace));
    const next = answer.nextPageToken?.length ? toToken(answer.nextPageToken) : undefined;
    return { executions: await Promise.all(executions), next };
  });
}

/** Adds a checksum, because servers take long to refuse a token that was cut, and don't say what is wrong. */
function toToken(bytes: Uint8Array): string {
  const checksum = Buffer.alloc(CHECKSUM_BYTES);
  checksum.writeUInt32BE(crc32(bytes));
  return Buffer.concat([checksum, bytes]).toString('base64url');
}

function fromToken(token: string): Uint8Array {
  const bytes = Buffer.from(token, 'base64url').subarray(CHECKSUM_BYTES);
  if (bytes.length > 0 && toToken(bytes) === token) return bytes;
  throw new CliError('usage', '--page-token is not a token that list printed');
}

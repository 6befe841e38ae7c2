/** Reads a poll from the marker of its local activity. Other markers, such as those of patches, are not polls. */
import { defaultDataConverter } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import type { RoleBuildActivities } from '../../activities/types.ts';
import { isBuildStatusAnswer, type BuildStatusAnswer } from '../../domain/build-status.ts';
import { defined } from '../../domain/defined.ts';
import { RETRY_AFTER_MAX_MS } from '../../domain/retries.ts';
import { payloadReader, tolerant, type PayloadReader } from '../temporal/payloads.ts';

interface Poll {
  attempts: number;
  /** The build API's answer; missing if the poll failed or its result is not valid. */
  answer?: BuildStatusAnswer;
  failure?: temporal.api.failure.v1.IFailure;
  /** The wait before the next attempt; missing after the last attempt. */
  backoffMs?: number;
}

/** Reads the SDK's own metadata of a local activity, which no codec encrypts. */
const NOTES = payloadReader(tolerant(defaultDataConverter), '', '');
const NAME: keyof RoleBuildActivities = 'getBuildStatus';

export async function pollIn(
  { details, failure }: temporal.api.history.v1.IMarkerRecordedEventAttributes,
  reader: PayloadReader,
): Promise<Poll | undefined> {
  const [note] = await NOTES.values(details?.['data']?.payloads);
  const { activity_type, attempt, backoff } = (note ?? {}) as Record<string, unknown>;
  if (activity_type !== NAME) return undefined;
  const attempts = Number.isSafeInteger(attempt) ? (attempt as number) : 1;
  if (failure) return { attempts, failure, ...defined({ backoffMs: msOf(backoff) }) };
  const [answer] = await reader.values(details?.['result']?.payloads);
  return isBuildStatusAnswer(answer) ? { attempts, answer } : { attempts };
}

/** Reads a duration in the SDK's format; `undefined` if it is not valid, or longer than a poll's backoff can be. */
function msOf(duration: unknown): number | undefined {
  const { seconds, nanos } = (duration ?? {}) as { seconds?: unknown; nanos?: unknown };
  const ms = Number(seconds) * 1000 + Number(nanos) / 1e6;
  return ms >= 0 && ms <= RETRY_AFTER_MAX_MS ? ms : undefined;
}

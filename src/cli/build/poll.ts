/** A poll as the events show it: the marker of its local activity. Other markers, such as those of patches, are none. */
import { defaultDataConverter } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import type { RoleBuildActivities } from '../../activities/types.ts';
import { isBuildStatusAnswer, type BuildStatusAnswer } from '../../domain/build-status.ts';
import { defined } from '../../domain/defined.ts';
import { RETRY_AFTER_MAX_MS } from '../../domain/retries.ts';
import { payloadReader, tolerant, type PayloadReader } from '../temporal/payloads.ts';

interface Poll {
  attempts: number;
  /** Its result, an answer of the build API or none; missing if it failed. */
  answer?: BuildStatusAnswer;
  failure?: temporal.api.failure.v1.IFailure;
  /** After which it is made again; missing after the last attempt. */
  backoffMs?: number;
}

/** For the SDK's own note of a local activity, which no codec sees. */
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

/** A duration as the SDK notes it; `undefined` if it is none, or longer than a poll's backoff. */
function msOf(duration: unknown): number | undefined {
  const { seconds, nanos } = (duration ?? {}) as { seconds?: unknown; nanos?: unknown };
  const ms = Number(seconds) * 1000 + Number(nanos) / 1e6;
  return ms >= 0 && ms <= RETRY_AFTER_MAX_MS ? ms : undefined;
}

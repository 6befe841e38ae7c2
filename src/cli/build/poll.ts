/** A poll as the events show it: the marker of its local activity. Other markers, such as those of patches, are none. */
import { defaultDataConverter } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import type { RoleBuildActivities } from '../../activities/types.ts';
import { isBuildStatusAnswer, type BuildStatusAnswer } from '../../domain/build-status.ts';
import { payloadReader, tolerant, type PayloadReader } from '../temporal/payloads.ts';

export interface Poll {
  attempts: number;
  /** Its result, an answer of the build API or none; missing if it failed. */
  answer?: BuildStatusAnswer;
  failure?: temporal.api.failure.v1.IFailure;
}

/** For the SDK's own note of a local activity, which no codec sees. */
const NOTES = payloadReader(tolerant(defaultDataConverter), '', '');
const NAME: keyof RoleBuildActivities = 'getBuildStatus';

export async function pollIn(
  { markerRecordedEventAttributes: marker }: temporal.api.history.v1.IHistoryEvent,
  reader: PayloadReader,
): Promise<Poll | undefined> {
  const { data, result } = marker?.details ?? {};
  const [note] = await NOTES.values(data?.payloads);
  const { activity_type, attempt } = (note ?? {}) as { activity_type?: unknown; attempt?: unknown };
  if (activity_type !== NAME) return undefined;
  const attempts = Number.isSafeInteger(attempt) ? (attempt as number) : 1;
  if (marker?.failure) return { attempts, failure: marker.failure };
  const [answer] = await reader.values(result?.payloads);
  return isBuildStatusAnswer(answer) ? { attempts, answer } : { attempts };
}

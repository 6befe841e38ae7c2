/** A poll as the events tell of it: by the marker of its local activity. Others, such as those of patches, tell of none. */
import { decodeArrayFromPayloads } from '@temporalio/common/lib/internal-non-workflow/index.js';
import { defaultDataConverter } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import type { RoleBuildActivities } from '../../activities/types.ts';
import type { BuildStatusAnswer } from '../../domain/build-status.ts';

export interface Poll {
  attempts: number;
  /** What it came to, an answer of the build API or none; missing if it failed. */
  answer?: BuildStatusAnswer;
  failure?: temporal.api.failure.v1.IFailure;
}

/** The SDK's own note of a local activity, which no codec sees. */
interface LocalActivity {
  activity_type?: string;
  attempt?: number;
}

const NAME: keyof RoleBuildActivities = 'getBuildStatus';

/** @param decode as the workflow's payloads are read */
export async function pollIn(
  { markerRecordedEventAttributes: marker }: temporal.api.history.v1.IHistoryEvent,
  decode: (payloads: temporal.api.common.v1.IPayload[] | null | undefined) => Promise<unknown[]>,
): Promise<Poll | undefined> {
  const { data, result } = marker?.details ?? {};
  const [note] = (await decodeArrayFromPayloads(defaultDataConverter, data?.payloads)) as LocalActivity[];
  if (note?.activity_type !== NAME) return undefined;
  const attempts = note.attempt ?? 1;
  if (marker?.failure) return { attempts, failure: marker.failure };
  const [answer] = (await decode(result?.payloads)) as BuildStatusAnswer[];
  return answer ? { attempts, answer } : { attempts };
}

/** Payloads and failures as workflow code reads and writes them. */
import {
  ApplicationFailure,
  DefaultFailureConverter,
  defaultPayloadConverter,
  type FailureConverter,
} from '@temporalio/common';
import { tolerantConverter } from '../contract.ts';
import { encryptsFailures } from './worker-options.ts';

/** What a payload reads as that holds no value. */
export const UNDECODABLE: unknown = Object.freeze({});

/** An error would fail the workflow task again and again, and nobody else could build under the workflow ID. */
export const payloadConverter = tolerantConverter(defaultPayloadConverter, UNDECODABLE);

/**
 * The SDK's own, without the error for a failure that is none of Temporal's: any client may start a workflow with one, as if
 * an earlier run had failed, and an error would fail the workflow task again and again.
 */
function tolerant(sdks: FailureConverter): FailureConverter {
  return {
    errorToFailure: (...given) => sdks.errorToFailure(...given),
    failureToError(failure, ...given) {
      try {
        return sdks.failureToError(failure, ...given);
      } catch {
        return ApplicationFailure.create({ message: failure.message ?? '' });
      }
    },
  };
}

/** Puts a failure's message and stack trace where the codec encrypts them, if it does. */
export const failureConverter = tolerant(new DefaultFailureConverter({ encodeCommonAttributes: encryptsFailures }));

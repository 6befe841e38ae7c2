/** The payload and failure converters of workflow code. */
import {
  ApplicationFailure,
  DefaultFailureConverter,
  defaultPayloadConverter,
  type FailureConverter,
} from '@temporalio/common';
import { tolerantConverter } from '../contract.ts';
import { encryptsFailures } from './worker-options.ts';

/** The value that an undecodable payload is read as. */
export const UNDECODABLE: unknown = Object.freeze({});

/** An error would fail the workflow task forever, and no other build could use the workflow ID. */
export const payloadConverter = tolerantConverter(defaultPayloadConverter, UNDECODABLE);

/**
 * Wraps the SDK's converter so that a malformed failure does not throw. Any client may start a workflow with one, as if
 * an earlier run had failed, and an error would fail the workflow task forever.
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

/** Moves a failure's message and stack trace to where the codec encrypts them, if encryption is on. */
export const failureConverter = tolerant(new DefaultFailureConverter({ encodeCommonAttributes: encryptsFailures }));

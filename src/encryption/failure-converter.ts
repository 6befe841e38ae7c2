/**
 * Puts a failure's message and stack trace where the codec encrypts them. Loaded by its path, in the worker and in the
 * bundle of the workflow code; reading needs no converter but the SDK's own.
 */
import { DefaultFailureConverter } from '@temporalio/common';

export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });

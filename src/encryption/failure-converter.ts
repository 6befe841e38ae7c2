/**
 * Moves a failure's message and stack trace to where the codec encrypts them. The SDK loads this file by its path; the
 * bundle of workflow code has its own converter. To read failures, the SDK's default converter is enough.
 */
import { DefaultFailureConverter } from '@temporalio/common';

export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });

/**
 * Puts a failure's message and stack trace where the codec encrypts them. Loaded by its path; the bundle of workflow code has
 * one of its own. Reading needs no converter but the SDK's.
 */
import { DefaultFailureConverter } from '@temporalio/common';

export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });

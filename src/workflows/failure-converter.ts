/** Puts a failure's message and stack trace where the codec encrypts them; `undefined` has the SDK use its own converter. */
import { DefaultFailureConverter } from '@temporalio/common';
import { encryptsFailures } from './worker-options.ts';

export const failureConverter = encryptsFailures
  ? new DefaultFailureConverter({ encodeCommonAttributes: true })
  : undefined;

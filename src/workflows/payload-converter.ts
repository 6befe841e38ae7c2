/** Payloads as workflow code reads them. */
import { defaultPayloadConverter, type Payload, type PayloadConverter } from '@temporalio/common';

/** What a payload reads as that holds no value, such as one of Protobuf, or text that is not JSON. */
export const UNDECODABLE: unknown = Object.freeze({});

/**
 * The SDK's own, without the error for a payload that holds no value. Any client may start a workflow with one: an error would
 * fail the workflow task again and again, and nobody else could build under the workflow ID.
 */
export const payloadConverter: PayloadConverter = {
  toPayload: (value) => defaultPayloadConverter.toPayload(value),
  fromPayload: (payload: Payload) => {
    try {
      return defaultPayloadConverter.fromPayload(payload);
    } catch {
      return UNDECODABLE as never;
    }
  },
};

/** Reads payloads of workflows, which may be any client's. */
import type { LoadedDataConverter, Payload, PayloadCodec, SerializationContext } from '@temporalio/common';
import {
  decodeArrayFromPayloads,
  decodeOptionalFailureToOptionalError,
} from '@temporalio/common/lib/internal-non-workflow/index.js';
import type { temporal } from '@temporalio/proto';
import { tolerantConverter } from '../../contract.ts';
import { isTooDeep } from '../../domain/role-build-input.ts';
import { PayloadUnreadableError } from '../../encryption/unreadable.ts';
import { undefinedIf } from '../errors/expected.ts';

export type PayloadReader = ReturnType<typeof payloadReader>;

/** Reads payloads of one workflow, because encrypted payloads are bound to their workflow. */
export function payloadReader(converter: LoadedDataConverter, namespace: string, workflowId: string) {
  const context = { type: 'workflow', namespace, workflowId } as const;
  return {
    /** Reads a value that is nested too deep to be shown or written as `undefined`. */
    async values(payloads: temporal.api.common.v1.IPayload[] | null | undefined): Promise<unknown[]> {
      const values = await decodeArrayFromPayloads(converter, payloads, context);
      return values.map((value) => (isTooDeep(value) ? undefined : value));
    },
    /** If the SDK can't convert a failure, the error has only its message. */
    async failure(failure: temporal.api.failure.v1.IFailure | null | undefined): Promise<Error | undefined> {
      try {
        return await decodeOptionalFailureToOptionalError(converter, failure, context);
      } catch (err) {
        if (err instanceof PayloadUnreadableError) throw err;
        return new Error(failure?.message ?? '');
      }
    },
  };
}

/** Reads a payload without a valid value as `undefined`, so that it does not hide all others. */
export function tolerant(loaded: LoadedDataConverter): LoadedDataConverter {
  return { ...loaded, payloadConverter: tolerantConverter(loaded.payloadConverter, undefined) };
}

/** Reads a payload that can't be decrypted as `undefined`, so that another client's workflow hides no others. */
export function leavingOutUnreadable(loaded: LoadedDataConverter): LoadedDataConverter {
  return { ...loaded, payloadCodecs: loaded.payloadCodecs.map(withoutUnreadable) };
}

function withoutUnreadable(codec: PayloadCodec): PayloadCodec {
  const decode = async (payload: Payload, context: SerializationContext | undefined): Promise<Payload> => {
    const decoded = await undefinedIf((err) => err instanceof PayloadUnreadableError, codec.decode([payload], context));
    return decoded?.[0] ?? {};
  };
  return {
    encode: (payloads, context) => codec.encode(payloads, context),
    decode: (payloads, context) => Promise.all(payloads.map((payload) => decode(payload, context))),
  };
}

import { isGrpcServiceError } from '@temporalio/client';

/** The gRPC status codes that commands tell apart. https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
export const GRPC_STATUS = {
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  UNIMPLEMENTED: 12,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

/** What a server said behind whatever a call of Temporal failed with; `undefined` where no server said anything. */
export function grpcErrorOf(err: unknown): { code: number; details: string } | undefined {
  if (isGrpcServiceError(err)) return err;
  const cause = err instanceof Error ? err.cause : undefined;
  return cause === undefined ? undefined : grpcErrorOf(cause);
}

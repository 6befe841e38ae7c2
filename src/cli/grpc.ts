/** The gRPC status codes that commands tell apart. https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
export const GRPC_STATUS = {
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  UNIMPLEMENTED: 12,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

/** What a server said behind whatever a call of Temporal failed with; `undefined` if no server said anything. */
export function grpcErrorOf(err: unknown): { code: number; details: string } | undefined {
  for (let one = err; one instanceof Error; one = one.cause) {
    // As the client's `isGrpcServiceError`, which is not loaded for the sake of an error that is none.
    const { details, metadata } = one as { details?: unknown; metadata?: unknown };
    if (typeof details === 'string' && typeof metadata === 'object' && metadata !== null) return one as GrpcError;
  }
  return undefined;
}

type GrpcError = Error & { code: number; details: string };

/** gRPC errors of calls to Temporal. */

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

/** Returns the gRPC error in a chain of causes; `undefined` if there is none. */
export function grpcErrorOf(err: unknown): (Error & { code: number; details: string }) | undefined {
  for (let one = err; one instanceof Error; one = one.cause) {
    const { details, metadata } = one as { details?: unknown; metadata?: unknown };
    if (typeof details === 'string' && typeof metadata === 'object' && metadata !== null) {
      return one as Error & { code: number; details: string };
    }
  }
  return undefined;
}

export function hasGrpcStatus(err: unknown, ...names: (keyof typeof GRPC_STATUS)[]): boolean {
  const code = grpcErrorOf(err)?.code;
  return names.some((name) => GRPC_STATUS[name] === code);
}

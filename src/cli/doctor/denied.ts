/** Calls that are refused for want of a permission: what they were for is left undone, and the rest is looked at all the same. */
import { GRPC_STATUS, grpcErrorOf } from '../grpc.ts';
import type { Finding } from './kinds.ts';

/** Whether a service knows who asks, and refuses that one call. */
export function isDenied(err: unknown): boolean {
  return grpcErrorOf(err)?.code === GRPC_STATUS.PERMISSION_DENIED || awsDenial(err) !== undefined;
}

/** @param undone what was not looked at for that */
export function deniedFinding(err: unknown, undone: string): Finding {
  const { message } = awsDenial(err) ?? (err as Error);
  return {
    finding: 'AccessDenied',
    about: undone,
    subject: {},
    reason: `${undone}: ${message}`,
    fix:
      awsDenial(err) === undefined
        ? 'have Temporal let this identity read the namespace and write to it'
        : 'give this identity the policy deploy/iam/doctor.json, for --fix deploy/iam/doctor-fix.json',
  };
}

function awsDenial(err: unknown): Error | undefined {
  if (!(err instanceof Error)) return undefined;
  return /^AccessDenied|^NotAuthorized/.test(err.name) ? err : awsDenial(err.cause);
}

/** What Temporal, DynamoDB and AWS KMS fail with, told apart: away, refused, not set up, asked for what makes no sense. */
import { SearchAttributeType } from '@temporalio/common';
import { searchAttributes } from '../contract.ts';
import { LATER, LOOK_AT_SETTINGS, saidOfAws, textOfAws } from './aws-errors.ts';
import { CliError } from './errors.ts';
import { GRPC_STATUS, grpcErrorOf } from './grpc.ts';

/** Whom a call was made to. */
export interface Called {
  service: 'Temporal' | 'DynamoDB' | 'AWS KMS' | 'AWS';
  /** Temporal's. */
  address?: string;
  namespace?: string;
}

/**
 * @returns `undefined` if it is no service's doing: then the error is passed on as it is. An execution that Temporal does not
 *   know, or that is there already, is for the caller to judge.
 */
export function serviceError(err: unknown, called: Called): CliError | undefined {
  if (err instanceof CliError) return err;
  if (!(err instanceof Error)) return undefined;
  if (err.name === 'NamespaceNotFoundError') return noNamespace(err, called);
  const grpc = grpcErrorOf(err);
  if (grpc !== undefined) return temporalError(err, grpc, called);
  return awsError(err, called.service === 'Temporal' ? { service: 'AWS KMS' } : called);
}

function temporalError(
  err: unknown,
  { code, details }: { code: number; details: string },
  called: Called,
): CliError | undefined {
  const temporal = `Temporal${called.address === undefined ? '' : ` at ${called.address}`}`;
  const unreachable = (what: string, hint: string, transient = false) =>
    new CliError('unreachable', `${temporal} ${what}: ${details}`, { cause: err, hint, transient });
  switch (code) {
    case GRPC_STATUS.DEADLINE_EXCEEDED:
    case GRPC_STATUS.UNAVAILABLE:
      return unreachable('does not answer', LOOK_AT_SETTINGS, true);
    case GRPC_STATUS.PERMISSION_DENIED:
    case GRPC_STATUS.UNAUTHENTICATED:
      return unreachable('refuses us', 'look at TEMPORAL_API_KEY, TLS and TEMPORAL_NAMESPACE: role-build config');
    case GRPC_STATUS.RESOURCE_EXHAUSTED:
      return unreachable('has no room for this now', LATER, true);
    case GRPC_STATUS.NOT_FOUND:
      return /namespace/i.test(details) ? noNamespace(err, called) : undefined;
    case GRPC_STATUS.ALREADY_EXISTS:
      return undefined;
    case GRPC_STATUS.INVALID_ARGUMENT:
      return searchAttributeError(err, details, temporal) ?? usage(err, `Temporal refuses it: ${details}`);
    case GRPC_STATUS.UNIMPLEMENTED:
      return unreachable('does not know this call', 'is it a Temporal server, and not too old? role-build config');
    default:
      return unreachable('did not do it', LATER, true);
  }
}

function noNamespace(err: unknown, { address = 'its address', namespace }: Called): CliError {
  const named = namespace === undefined ? 'the namespace asked for' : `namespace "${namespace}"`;
  return new CliError('unreachable', `Temporal at ${address} has no ${named.replace(/^the /, '')}`, {
    cause: err,
    hint: 'look at TEMPORAL_NAMESPACE: role-build config',
  });
}

/** One of ours that is missing or of another type is for an operator to see to; any other stands in the query that was given. */
function searchAttributeError(err: unknown, details: string, temporal: string): CliError | undefined {
  const [, name = '', type] =
    /value(?: type)? for search attribute (\w+) of type (\w+)/i.exec(details) ??
    /search attribute:? ["']?(\w+)/i.exec(details) ??
    [];
  const own = Object.values(searchAttributes).find((attribute) => attribute.name === name);
  if (own === undefined) return undefined;
  const wanted = own.type === SearchAttributeType.BOOL ? 'Bool' : 'Keyword';
  if (type === undefined) {
    const message = `${temporal} is not set up: the search attribute ${name} is missing (${details})`;
    return new CliError('unreachable', message, { cause: err, hint: 'role-build setup' });
  }
  if (type.toLowerCase() === wanted.toLowerCase()) return undefined;
  return new CliError('unreachable', `${temporal} has the search attribute ${name} as ${type}; it must be ${wanted}`, {
    cause: err,
    hint: `have it removed (temporal operator search-attribute remove --name ${name}), then role-build setup`,
  });
}

function usage(err: unknown, message: string): CliError {
  return new CliError('usage', message, { cause: err });
}

function awsError(err: unknown, { service }: Called): CliError | undefined {
  const said = saidOfAws(err as Error, service);
  if (said === undefined) return undefined;
  const { what, hint, transient = false } = said;
  return new CliError('unreachable', `${service} ${what}: ${textOfAws(err as Error)}`, { cause: err, hint, transient });
}

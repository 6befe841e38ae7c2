/** Explains errors of Temporal, DynamoDB and AWS KMS: unreachable, access denied, not set up, or an invalid request. */
import { SearchAttributeType } from '@temporalio/common';
import { searchAttributes } from '../../contract.ts';
import { LATER, LOOK_AT_SETTINGS, meaningOfAws, textOfAws } from './aws.ts';
import { CliError } from './cli-error.ts';
import { GRPC_STATUS, grpcErrorOf } from '../../domain/grpc.ts';

/** The service that was called; `AWS` if it is not known. */
export type Called =
  { service: 'Temporal'; address: string; namespace: string } | { service: 'DynamoDB' | 'AWS KMS' | 'AWS' };

/**
 * @returns `undefined` if the error is not a service's; the caller then passes it on unchanged. Also for an execution
 *   that Temporal does not know or that exists already, because the caller decides what that means
 */
export function serviceError(err: unknown, called: Called): CliError | undefined {
  if (err instanceof CliError) return err;
  if (!(err instanceof Error)) return undefined;
  if (err.name === 'NamespaceNotFoundError') return noNamespace(err, called);
  const grpc = grpcErrorOf(err);
  if (grpc !== undefined) return temporalError(err, grpc, called);
  // During a call of Temporal, payloads are encrypted and decrypted, so an error of AWS is from KMS.
  const service = called.service === 'Temporal' ? 'AWS KMS' : called.service;
  const meaning = meaningOfAws(err, service !== 'AWS');
  if (meaning === undefined) return undefined;
  const [what, hint, passing] = meaning;
  const details = { cause: err, hint, transient: passing !== undefined };
  return new CliError('unreachable', `${service} ${what}: ${textOfAws(err)}`, details);
}

function temporalError(cause: unknown, grpc: { code: number; details: string }, called: Called): CliError | undefined {
  const { code, details } = grpc;
  const temporal = nameOf(called);
  const unreachable = (what: string, hint: string, transient = false) =>
    new CliError('unreachable', `${temporal} ${what}: ${details}`, { cause, hint, transient });
  switch (code) {
    case GRPC_STATUS.DEADLINE_EXCEEDED:
    case GRPC_STATUS.UNAVAILABLE:
      return unreachable('does not answer', LOOK_AT_SETTINGS, true);
    case GRPC_STATUS.PERMISSION_DENIED:
    case GRPC_STATUS.UNAUTHENTICATED:
      return unreachable('denies access', 'look at TEMPORAL_API_KEY, TLS and TEMPORAL_NAMESPACE: role-build config');
    case GRPC_STATUS.RESOURCE_EXHAUSTED:
      return unreachable('has reached a limit', LATER, true);
    case GRPC_STATUS.NOT_FOUND:
      return /namespace/i.test(details) ? noNamespace(cause, called) : undefined;
    case GRPC_STATUS.ALREADY_EXISTS:
      return undefined;
    case GRPC_STATUS.INVALID_ARGUMENT:
      return (
        searchAttributeError(cause, details, temporal) ??
        new CliError('usage', `Temporal refuses it: ${details}`, { cause })
      );
    case GRPC_STATUS.UNIMPLEMENTED:
      return unreachable(
        'does not know this call',
        'check that it is a Temporal server of a recent version: role-build config',
      );
    default:
      return unreachable('failed', LATER, true);
  }
}

function nameOf(called: Called): string {
  return called.service === 'Temporal' ? `Temporal at ${called.address}` : 'Temporal';
}

function noNamespace(cause: unknown, called: Called): CliError {
  const namespace = called.service === 'Temporal' ? ` "${called.namespace}"` : ' of that name';
  return new CliError('unreachable', `${nameOf(called)} has no namespace${namespace}`, {
    cause,
    hint: 'look at TEMPORAL_NAMESPACE: role-build config',
  });
}

/** An operator has to repair our own attribute if it is missing or has another type; another is the query's fault. */
function searchAttributeError(cause: unknown, details: string, temporal: string): CliError | undefined {
  const [, name = '', type] =
    /value(?: type)? for search attribute (\w+) of type (\w+)/i.exec(details) ??
    /search attribute:? ["']?(\w+)/i.exec(details) ??
    [];
  // The query uses an operator that the attribute's type does not have.
  if (/not supported/i.test(details)) return undefined;
  const own = Object.values(searchAttributes).find((attribute) => attribute.name === name);
  if (own === undefined) return undefined;
  const wanted = own.type === SearchAttributeType.BOOL ? 'Bool' : 'Keyword';
  if (type === undefined) {
    const message = `${temporal} is not set up: the search attribute ${name} is missing (${details})`;
    return new CliError('unreachable', message, { cause, hint: 'role-build setup' });
  }
  if (type.toLowerCase() === wanted.toLowerCase()) return undefined;
  return new CliError('unreachable', `${temporal} has the search attribute ${name} as ${type}; it must be ${wanted}`, {
    cause,
    hint: `have it removed (temporal operator search-attribute remove --name ${name}), then role-build setup`,
  });
}

import { buildIdFault, type BuildStatusAnswer } from '../domain/build-status.ts';
import type { Redact } from './redact.ts';

/** An answer of the build API that breaks its contract. The message says how, for a person. */
export class ContractBreach extends Error {
  override name = 'ContractBreach';
}

/** A longer answer would crowd out the rest of a record's `error_info.Cause`. */
const ANSWER_MAX_CHARACTERS = 32_000;
const STATUS_MAX_CHARACTERS = 256;

export function isRetryable(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500;
}

/** `Retry-After` in seconds or as a date. https://www.rfc-editor.org/rfc/rfc9110#field.retry-after */
export function retryAfterMs(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) && ms > 0 ? ms : undefined;
}

/** @throws ContractBreach if a 2xx answer to `POST /build` is not JSON with a usable `build_id` */
export function parseTriggerAnswer(body: string): { build_id: string } {
  const answer = parseObject(body);
  const id = answer['build_id'];
  if (typeof id === 'number') {
    if (!Number.isSafeInteger(id)) throw new ContractBreach(`build_id is the number ${id}, not a safe integer`);
    return { build_id: String(id) };
  }
  if (typeof id !== 'string') throw new ContractBreach(`the answer has no build_id that is a string or a number`);
  const fault = buildIdFault(id);
  if (fault !== undefined) throw new ContractBreach(fault);
  return { build_id: id };
}

/**
 * Parses what is needed of a 2xx answer to `GET /build/{build_id}`.
 *
 * @param redact removes the credential from text that will be stored
 * @throws ContractBreach if it is not a JSON object
 */
export function parseStatusAnswer(body: string, redact: Redact): BuildStatusAnswer {
  const answer = parseObject(body);
  const status = answer['build_status'];
  const can_retry = answer['can_retry'] === true;
  // Not redacted: a credential that is part of this word must not change the verdict.
  if (status === 'SUCCEEDED') return { can_retry, build_status: status };
  const build_status = typeof status === 'string' ? redact(status, STATUS_MAX_CHARACTERS).toWellFormed() : null;
  if (can_retry) return { can_retry, build_status };
  return { can_retry, build_status, answer: redact(body.trim(), ANSWER_MAX_CHARACTERS) };
}

function parseObject(body: string): Record<string, unknown> {
  let answer: unknown;
  try {
    answer = JSON.parse(body);
  } catch {
    throw new ContractBreach('the answer is not JSON');
  }
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) {
    throw new ContractBreach('the answer is not a JSON object');
  }
  return answer as Record<string, unknown>;
}

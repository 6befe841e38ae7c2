/** `--ask-api`: asks the build API about the build of a lost job. */
import { BuildApi } from '../../../build-api/client.ts';
import { BuildApiError } from '../../../build-api/error.ts';
import { readSettings } from '../../../config/settings.ts';
import { inputFaults } from '../../../domain/validate-input.ts';
import type { CommandContext } from '../../context.ts';
import { CliError } from '../../errors/cli-error.ts';
import { credentialFile, ENCRYPTED_JWT_VARIABLE } from '../../input/read-input.ts';
import { endOfAnswer, type End } from './trace.ts';

export interface AskApiOptions {
  askApi?: boolean;
  url?: string;
  encryptedJwtFile?: string;
}

export interface ApiAnswer {
  /** For people. */
  says: string;
  /** Absent if there is no answer or it is not final. */
  end?: End;
  isUndecided: boolean;
  /** Set if the API did not say how the build ended, although it may know. */
  doubt?: string;
}

export type AskApi = (buildId: string, correlationId: string) => Promise<ApiAnswer>;

const TIMEOUT_MS = 30_000;

/**
 * The operator has to give the URL. A lost build's input has one too, but its requester chose it: asking there would
 * send the operator's credential wherever a requester said.
 *
 * @returns `undefined` if the build API is not to be asked
 * @throws CliError `usage` if `--url` or the credential is missing or wrong
 */
export async function readAskApi(
  options: AskApiOptions,
  { env, stdin, output, signal }: CommandContext,
): Promise<AskApi | undefined> {
  const { askApi, url, encryptedJwtFile } = options;
  if (askApi !== true) {
    if (url === undefined && encryptedJwtFile === undefined) return undefined;
    throw new CliError('usage', '--url and --encrypted-jwt-file go with --ask-api');
  }
  const encrypted_jwt = (await credentialFile(options, stdin, output)) ?? env[ENCRYPTED_JWT_VARIABLE];
  if (url === undefined) throw new CliError('usage', '--ask-api needs --url: where the build API is');
  if (encrypted_jwt === undefined || encrypted_jwt === '') {
    throw new CliError('usage', '--ask-api needs a credential: --encrypted-jwt-file or the variable ENCRYPTED_JWT');
  }
  const fault = inputFaults({ url, encrypted_jwt }).find(({ path }) => path === 'url' || path === 'encrypted_jwt');
  if (fault !== undefined) throw new CliError('usage', `${fault.path} ${fault.message}`);

  const { origin, host } = new URL(url);
  const albFqdn = env['API_ALB_FQDN'] ? readSettings(env, ['API_ALB_FQDN']).API_ALB_FQDN : host;
  const api = new BuildApi({ albFqdn, allowedOrigins: [origin], timeoutMs: TIMEOUT_MS });
  return async (buildId, correlation_id) => {
    try {
      const answer = await api.getBuildStatus({ url, encrypted_jwt, correlation_id }, buildId, signal);
      const end = endOfAnswer(buildId, answer);
      const status = answer.build_status ?? 'no build_status';
      return end === undefined
        ? { says: `the build API says that build ${buildId} is still going on (${status})`, isUndecided: true }
        : { says: `the build API says that build ${buildId} ended with ${status}`, isUndecided: false, end };
    } catch (err) {
      if (!(err instanceof BuildApiError)) throw err;
      const doubt = 'asked again, or at another --url, the build API may say how the build ended';
      return { says: `the build API does not tell: ${err.message}`, isUndecided: false, doubt };
    }
  };
}

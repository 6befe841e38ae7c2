import type { Environment } from '../../config/settings.ts';

/** Variables whose values are secret, except those that only name a file with such a value. */
const SECRET =
  /^(ENCRYPTED_JWT|ENCRYPTION_KEYS|BUILD_API_PROXY|TEMPORAL_API_KEY|TEMPORAL_TLS_\w+_DATA|TEMPORAL_GRPC_META_\w+|AWS_\w*(SECRET|TOKEN)\w*|OTEL_\w*HEADERS)(?<!_FILE)$/;
/** Shorter values are not removed, because they could occur in any text. */
const SHORTEST = 6;
/** Some errors quote only the beginning of a value. */
const BEGINNING = 12;
const SHOWN = '[redacted]';

/**
 * Removes secrets from a text of unknown content, such as an error's stack.
 *
 * @param known credentials that are not in the environment
 */
export function withoutSecrets(text: string, env: Environment, known: Iterable<string>): string {
  const ofEnvironment = Object.entries(env).flatMap(([name, value = '']) => {
    if (!SECRET.test(name)) return [];
    const parts = value.split(',');
    // The value may be a list of `name:key`, or of headers, `name=value`.
    return [value, ...parts, ...parts.map((part) => part.replace(/^[^:=]*[:=]/, ''))];
  });
  const secrets = [...known, ...ofEnvironment]
    .map((secret) => secret.trim())
    .filter(({ length }) => length >= SHORTEST);
  // Removes up to the last `@`, since a password may contain `@` or a slash. A module's path, a file URL, may too.
  let shown = text.replace(/(?<!\bfile)(:\/\/)\S*@/g, `$1${SHOWN}@`);
  for (const secret of secrets) shown = shown.replaceAll(secret, SHOWN);
  for (const secret of secrets.filter(({ length }) => length > BEGINNING)) {
    const beginning = secret.slice(0, BEGINNING).replaceAll(/[$()*+./?[\\\]^{|}-]/g, '\\$&');
    shown = shown.replaceAll(new RegExp(`${beginning}\\S*`, 'g'), SHOWN);
  }
  return shown;
}

import type { Environment } from '../../config/settings.ts';

/** Variables whose values are secret; some only name a file that holds such a value. */
const SECRET =
  /^(ENCRYPTED_JWT|ENCRYPTION_KEYS|BUILD_API_PROXY|TEMPORAL_API_KEY|TEMPORAL_TLS_\w+_DATA|TEMPORAL_GRPC_META_\w+|AWS_\w*(SECRET|TOKEN)\w*|OTEL_\w*HEADERS)(?<!_FILE)$/;
/** A shorter one would be found in any text. */
const SHORTEST = 6;
/** Some errors quote no more than the beginning of a value. */
const BEGINNING = 12;
const SHOWN = '[redacted]';

/**
 * Takes secrets out of a text that nobody has foreseen, such as the stack of an error.
 *
 * @param known credentials that came in another way than by the environment
 */
export function withoutSecrets(text: string, env: Environment, known: Iterable<string>): string {
  const ofEnvironment = Object.entries(env).flatMap(([name, value = '']) => {
    if (!SECRET.test(name)) return [];
    const parts = value.split(',');
    // Of a list of `name:key`, or of headers, `name=value`.
    return [value, ...parts, ...parts.map((part) => part.replace(/^[^:=]*[:=]/, ''))];
  });
  const secrets = [...known, ...ofEnvironment]
    .map((secret) => secret.trim())
    .filter(({ length }) => length >= SHORTEST);
  // Up to the last `@`: a password may have one in it, or a slash. A module's path may too.
  let shown = text.replace(/(?<!\bfile)(:\/\/)\S*@/g, `$1${SHOWN}@`);
  for (const secret of secrets) shown = shown.replaceAll(secret, SHOWN);
  for (const secret of secrets.filter(({ length }) => length > BEGINNING)) {
    const beginning = secret.slice(0, BEGINNING).replaceAll(/[$()*+./?[\\\]^{|}-]/g, '\\$&');
    shown = shown.replaceAll(new RegExp(`${beginning}\\S*`, 'g'), SHOWN);
  }
  return shown;
}

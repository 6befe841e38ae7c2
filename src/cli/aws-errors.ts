/** What AWS's services and its SDK fail with: what is so, and what helps. */

export const LOOK_AT_SETTINGS = 'role-build config shows the address in force and where it comes from';
export const LATER = 'the same again later';
const LOOK_AT_CREDENTIALS =
  'AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN); `aws sts get-caller-identity` tells whether they are good';

/** What to say of an AWS error: what is so, and what helps. */
export interface Said {
  what: string;
  hint: string;
  transient?: true;
}

const EXPIRED: Said = {
  what: 'refuses the credentials, which have expired',
  hint: 'get new ones, as by `aws sso login`',
};
const UNKNOWN_CREDENTIALS: Said = { what: 'does not accept the credentials', hint: LOOK_AT_CREDENTIALS };
const UNKNOWN_CHARACTERS: Said = {
  what: "can't be asked with credentials that hold line breaks or other characters that no header can",
  hint: LOOK_AT_CREDENTIALS,
};
const WRONG_MODE: Said = {
  what: "can't be asked with such settings",
  hint: 'unset AWS_DEFAULTS_MODE, and take defaults_mode out of the profile',
};
const WRONG_CLOCK: Said = { what: 'refuses the time of this machine', hint: 'set its clock, as by NTP' };
const DENIED: Said = {
  what: 'denies access',
  hint: 'have the policy of deploy/iam allowed; `aws sts get-caller-identity` tells who is asking',
};
const BUSY: Said = { what: 'asks to wait', hint: LATER, transient: true };
const NO_CREDENTIALS: Said = { what: "can't be asked without credentials", hint: LOOK_AT_CREDENTIALS };
const NO_REGION: Said = {
  what: "can't be asked without a region",
  hint: "export AWS_REGION=REGION (the tables'), or give the profile a region",
};
const AWAY: Said = { what: "can't be reached", hint: LOOK_AT_SETTINGS, transient: true };
const NOT_AWS: Said = {
  what: 'gave an answer that is none of its own, as a proxy or another server does',
  hint: LOOK_AT_SETTINGS,
};

/** By the error's name. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CommonErrors.html */
const BY_NAME = new Map<string, Said>([
  ['ExpiredToken', EXPIRED],
  ['ExpiredTokenException', EXPIRED],
  ['TokenProviderError', EXPIRED],
  ['UnrecognizedClientException', UNKNOWN_CREDENTIALS],
  ['InvalidClientTokenId', UNKNOWN_CREDENTIALS],
  ['MissingAuthenticationToken', UNKNOWN_CREDENTIALS],
  ['MissingAuthenticationTokenException', UNKNOWN_CREDENTIALS],
  ['IncompleteSignature', UNKNOWN_CREDENTIALS],
  ['IncompleteSignatureException', UNKNOWN_CREDENTIALS],
  ['InvalidSignatureException', UNKNOWN_CREDENTIALS],
  ['SignatureDoesNotMatch', UNKNOWN_CREDENTIALS],
  ['RequestExpired', WRONG_CLOCK],
  ['RequestTimeTooSkewed', WRONG_CLOCK],
  ['AccessDenied', DENIED],
  ['AccessDeniedException', DENIED],
  ['NotAuthorized', DENIED],
  ['OptInRequired', DENIED],
  ['ThrottlingException', BUSY],
  ['Throttling', BUSY],
  ['ProvisionedThroughputExceededException', BUSY],
  ['RequestLimitExceeded', BUSY],
  ['LimitExceededException', BUSY],
  ['ServiceUnavailable', BUSY],
  ['InternalServerError', BUSY],
  ['InternalFailure', BUSY],
  ['CredentialsProviderError', NO_CREDENTIALS],
  ['TimeoutError', AWAY],
  ['AbortError', AWAY],
  [
    'ValidationException',
    {
      what: 'does not take what it was asked for',
      hint: 'look at what the command was given, and at STATUS_TABLE and HISTORY_TABLE: role-build config',
    },
  ],
  [
    'ResourceNotFoundException',
    { what: 'has no such table', hint: 'role-build setup makes the tables; are AWS_REGION and the account theirs?' },
  ],
]);

/** Node.js's codes of a connection that does not come about or breaks. */
const NETWORK_CODES =
  /^(E(CONN\w+|HOSTUNREACH|HOSTDOWN|NETUNREACH|NETDOWN|NOTFOUND|AI_AGAIN|TIMEDOUT|PIPE|PROTO|ADDRNOTAVAIL)|CERT_\w+|UNABLE_TO_\w+|SELF_SIGNED_\w+|DEPTH_ZERO_\w+|ERR_TLS_\w+|ERR_SSL_\w+)$/;

/** What the SDK calls an answer that names no error. */
const UNNAMED: ReadonlySet<string> = new Set(['Unknown', 'UnknownError']);

type AwsError = Error & { code?: unknown; path?: unknown; $metadata?: { httpStatusCode?: number }; $fault?: string };

/** @returns `undefined` for an error that is none of AWS's */
export function saidOfAws(err: AwsError, service: string): Said | undefined {
  const { name, message, code } = err;
  if (/^InvalidSignature|^SignatureDoesNotMatch/.test(name) && /expired|not yet current/i.test(message))
    return WRONG_CLOCK;
  if (name === 'CredentialsProviderError' && /expired|sso login/i.test(message)) return EXPIRED;
  const known = BY_NAME.get(name);
  if (known !== undefined) return known;
  // A line break at the end of a key, as of a file from Windows, is no part of a header.
  if (service !== 'AWS' && code === 'ERR_INVALID_CHAR') return UNKNOWN_CHARACTERS;
  // The SDK throws these three as plain errors.
  if (message.startsWith('Invalid parameter for "defaultsMode"')) return WRONG_MODE;
  if (message.startsWith('Region is missing')) return NO_REGION;
  if (message.startsWith('Region not accepted')) return { ...NO_REGION, what: "can't be asked in that region" };
  const isOfSdk = err.$metadata !== undefined || err.$fault !== undefined;
  if (typeof code === 'string' && NETWORK_CODES.test(code) && (isOfSdk || service !== 'AWS')) return AWAY;
  // Of Node.js's HTTP parser.
  if (service !== 'AWS' && typeof code === 'string' && code.startsWith('HPE_')) return NOT_AWS;
  if (service !== 'AWS' && code === 'ERR_INVALID_URL') return { ...AWAY, what: 'has an address that is no URL' };
  // The SDK reads its settings, and the token of a web identity, before it calls.
  if (service !== 'AWS' && typeof code === 'string' && typeof err.path === 'string') return NO_CREDENTIALS;
  if (!isOfSdk) return undefined;
  if (name === 'SyntaxError' || UNNAMED.has(name)) return NOT_AWS;
  if ((err.$metadata?.httpStatusCode ?? 0) >= 500) return BUSY;
  return err.$fault === undefined ? undefined : { what: 'refuses it', hint: LOOK_AT_SETTINGS };
}

export function textOfAws({ name, message, code, $metadata }: AwsError): string {
  // An answer that can't be read is quoted by V8, and may hold anything.
  if (name === 'SyntaxError') return 'it can not be read';
  if (UNNAMED.has(name)) return `HTTP status ${$metadata?.httpStatusCode}`;
  if (code === 'ERR_INVALID_URL')
    return 'AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL or the profile must give one such as http://HOST:PORT';
  return name.endsWith('Error') ? message : `${name}: ${message}`;
}

/** Explains errors of AWS's services and of its SDK, with what helps. */

/** The rest of a message after a service's name, and what to try. `passing`: the same call may soon succeed. */
type Meaning = readonly [what: string, hint: string, passing?: 'passing'];

export const LOOK_AT_SETTINGS = 'role-build config shows the address in force and where it comes from';
export const LATER = 'run the same command again later';
const CREDENTIALS =
  'AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN); `aws sts get-caller-identity` shows whether they are valid';
const NO_REGION_HINT = "export AWS_REGION=REGION (the tables'), or give the profile a region";

const BUSY: Meaning = ['is busy or throttles requests', LATER, 'passing'];
const AWAY: Meaning = ["can't be reached", LOOK_AT_SETTINGS, 'passing'];
const NO_CREDENTIALS: Meaning = ["can't be called without credentials", CREDENTIALS];
const NOT_AWS: Meaning = [
  'gave an answer that AWS does not give; a proxy or another server may have answered',
  LOOK_AT_SETTINGS,
];

/**
 * Meanings by `NAME: MESSAGE`; the first match counts. The SDK throws some faults of the settings as plain errors.
 *
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CommonErrors.html
 */
const BY_TEXT: readonly (readonly [RegExp, ...Meaning])[] = [
  [
    /^((InvalidSignature|SignatureDoesNotMatch)\w*: .*(expired|not yet current)|RequestExpired:|RequestTimeTooSkewed:)/is,
    'refuses the clock of this machine',
    'set its clock, for example by NTP',
  ],
  [
    /^(ExpiredToken(Exception)?:|TokenProviderError:|CredentialsProviderError: .*(expired|sso login))/is,
    'refuses the credentials, which have expired',
    'get new ones, as by `aws sso login`',
  ],
  [
    /^(UnrecognizedClient|InvalidClientTokenId|MissingAuthenticationToken|IncompleteSignature|InvalidSignature|SignatureDoesNotMatch)(Exception)?:/,
    'does not accept the credentials',
    CREDENTIALS,
  ],
  [
    /^(AccessDenied(Exception)?|NotAuthorized|OptInRequired):/,
    'denies access',
    'attach the policy in deploy/iam to this identity; `aws sts get-caller-identity` shows which it is',
  ],
  [
    /^(Throttling(Exception)?|ProvisionedThroughputExceededException|RequestLimitExceeded|LimitExceededException|ServiceUnavailable|InternalServerError|InternalFailure):/,
    ...BUSY,
  ],
  [/^CredentialsProviderError:/, ...NO_CREDENTIALS],
  // A credential_process whose credentials are not texts, and a profile with an sso-session that does not exist.
  [/^\w+: (Resolved credential object is not valid|.*\(reading 'sso_)/, ...NO_CREDENTIALS],
  [/^(TimeoutError|AbortError):/, ...AWAY],
  [
    /^ValidationException:/,
    'refused the request as not valid',
    'look at what the command was given, and at STATUS_TABLE and HISTORY_TABLE: role-build config',
  ],
  [
    /^ResourceNotFoundException:/,
    'has no such table',
    'role-build setup creates the tables; check STATUS_TABLE, HISTORY_TABLE and AWS_REGION (role-build config), and the account',
  ],
  [
    /^\w+: Invalid parameter for "defaultsMode"/,
    "can't be called with these settings",
    'unset AWS_DEFAULTS_MODE, and take defaults_mode out of the profile',
  ],
  [/^\w+: Region is missing/, "can't be called without a region", NO_REGION_HINT],
  [/^\w+: Region not accepted/, "can't be called in that region", NO_REGION_HINT],
];

/** Meanings by Node.js's error code, for errors of a call of AWS. */
const BY_CODE: readonly (readonly [RegExp, ...Meaning])[] = [
  [
    /^(E(CONN\w+|HOSTUNREACH|HOSTDOWN|NETUNREACH|NETDOWN|NOTFOUND|AI_AGAIN|TIMEDOUT|PIPE|PROTO|ADDRNOTAVAIL)|CERT_\w+|UNABLE_TO_\w+|SELF_SIGNED_\w+|DEPTH_ZERO_\w+|ERR_TLS_\w+|ERR_SSL_\w+)$/,
    ...AWAY,
  ],
  // A key with a line break at its end, for example from a Windows file, can't become a header.
  [
    /^ERR_INVALID_CHAR$/,
    "can't be called with credentials that hold line breaks or other characters not allowed in a header",
    CREDENTIALS,
  ],
  // Codes of the HTTP parser, and of an answer that is too long.
  [/^(HPE_|ERR_BUFFER_TOO_LARGE)/, ...NOT_AWS],
  [/^ERR_INVALID_URL$/, 'has an address that is not a URL', LOOK_AT_SETTINGS, 'passing'],
];

/** Names that the SDK gives an answer that names no error, or that can't be read. */
const UNNAMED = /^(Unknown|UnknownError|SyntaxError)$/;

type AwsError = Error & { code?: unknown; syscall?: unknown; $metadata?: { httpStatusCode?: number }; $fault?: string };

/**
 * @param ofCall whether the error is from a call of AWS; otherwise only errors that the SDK alone throws are recognized
 * @returns `undefined` for an error that is not AWS's
 */
export function meaningOfAws(err: AwsError, ofCall: boolean): Meaning | undefined {
  const { name, message, code, $metadata, $fault } = err;
  const byText = BY_TEXT.find(([pattern]) => pattern.test(`${name}: ${message}`));
  if (byText !== undefined) return meaningIn(byText);
  const isOfSdk = $metadata !== undefined || $fault !== undefined;
  if (!ofCall && !isOfSdk) return undefined;
  const byCode = typeof code === 'string' ? BY_CODE.find(([pattern]) => pattern.test(code)) : undefined;
  if (byCode !== undefined) return meaningIn(byCode);
  // Before the call, the SDK reads its settings files, and the token file of a web identity.
  if (ofCall && typeof code === 'string' && typeof err.syscall === 'string') return NO_CREDENTIALS;
  if (!isOfSdk) return undefined;
  if (UNNAMED.test(name)) return NOT_AWS;
  if (($metadata?.httpStatusCode ?? 0) >= 500) return BUSY;
  return $fault === undefined ? undefined : ['refuses it', LOOK_AT_SETTINGS];
}

function meaningIn([, ...meaning]: readonly [RegExp, ...Meaning]): Meaning {
  return meaning;
}

export function textOfAws({ name, message, code, $metadata }: AwsError): string {
  // The error quotes the answer, which may contain anything.
  if (name === 'SyntaxError') return "it can't be parsed";
  if (UNNAMED.test(name)) return `HTTP status ${$metadata?.httpStatusCode}`;
  if (code === 'ERR_INVALID_URL')
    return 'AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL or the profile must give one such as http://HOST:PORT';
  return name.endsWith('Error') ? message : `${name}: ${message}`;
}

/** Every rule of an input's keys: what passes, and what is refused with which message. */
export const RULES: Record<string, { passes: unknown[]; refused: [message: string, ...values: unknown[]][] }> = {
  build_body: {
    passes: [],
    refused: [
      ['is missing', undefined],
      ['must be an object', null, 'x', 1, true, []],
    ],
  },
  'build_body.account_id': {
    passes: ['000000000000'],
    refused: [
      ['is missing', undefined],
      ['must be a string', 123456789012, null],
      [
        'must be 12 digits',
        '',
        '12345678901',
        '1234567890123',
        ' 23456789012',
        '12345678901a',
        '123456789012\n',
        '١٢٣٤٥٦٧٨٩٠١٢',
      ],
    ],
  },
  'build_body.build_type': {
    passes: ['x', 'ü', 'x'.repeat(1_024)],
    refused: [
      ['is missing', undefined],
      ['must be a string', 1, null, {}],
      ['must not be empty', ''],
      ['must not contain NUL', 'iam\u0000role'],
      ['must be at most 1024 characters', 'x'.repeat(1_025)],
    ],
  },
  'build_body.action': {
    passes: ['delete', 'x'.repeat(1_024)],
    refused: [
      ['is missing', undefined],
      ['must be a string', false],
      ['must not be empty', ''],
      ['must not contain NUL', '\u0000'],
      ['must be at most 1024 characters', 'x'.repeat(1_025)],
    ],
  },
  'build_body.custom_role_name': {
    passes: ['a', 'A_9+=,.@-', 'x'.repeat(64)],
    refused: [
      ['is missing', undefined],
      ['must be a string', 7],
      ['must be a role name: 1 to 64 letters, digits and _+=,.@-', '', 'x'.repeat(65), 'a b', 'a/b', 'rôle', 'a\n'],
    ],
  },
  'build_body.dry_run': {
    passes: [true, false],
    refused: [
      ['is missing', undefined],
      ['must be true or false', 'true', 1, 0, null],
    ],
  },
  ddb_composite_sort_key: {
    passes: ['x', 'iam_role#ü'],
    refused: [
      ['is missing', undefined],
      ['must be a string', 1],
      ['must not be empty', ''],
      ['must not contain NUL', 'iam_role#\u0000'],
    ],
  },
  correlation_id: {
    passes: ['x', 'a b', 'x'.repeat(256), '!~'],
    refused: [
      ['is missing', undefined],
      ['must be a string', 1],
      ['must not be empty', ''],
      ['must be at most 256 characters', 'x'.repeat(257)],
      [
        'must be printable ASCII without spaces around it, since it becomes a header',
        ' x',
        'x ',
        'ü',
        'a\tb',
        'a\r\nb: c',
        'x\n',
        '\u007f',
      ],
    ],
  },
  trace_header: {
    passes: ['x', ' ', 'ü\n', 'x'.repeat(65_536)],
    refused: [
      ['is missing', undefined],
      ['must be a string', {}],
      ['must not be empty', ''],
      ['must be at most 65536 characters', 'x'.repeat(65_537)],
    ],
  },
  url: {
    passes: [
      'http://127.0.0.1:8090',
      'https://builds.example.com/a/b/',
      'HTTPS://BUILDS.EXAMPLE.COM',
      'http://[::1]:8090',
      'http://bücher.example',
      'https://builds.example.com/a@b',
      'https://builds.example.com/http://a@b',
      `https://builds.example.com/${'x'.repeat(2_021)}`,
    ],
    refused: [
      ['is missing', undefined],
      ['must be a string', 1],
      [
        'must be an http or https URL',
        'builds.example.com',
        'ftp://builds.example.com',
        'file:///etc/passwd',
        'javascript:alert(1)',
        '//builds.example.com',
        'http:builds.example.com',
        'http:/builds.example.com',
        'http://',
        'http://builds.example.com:99999',
        ' https://builds.example.com',
        'https:\\\\builds.example.com',
        'http://[::1',
        'http://a b',
      ],
      [
        'must not contain credentials',
        'https://user@builds.example.com',
        'https://user:password@builds.example.com',
        'https://@builds.example.com',
        'https://:@builds.example.com',
        'http://@builds.example.com',
        'HTTPS://@builds.example.com',
        'https:///user@builds.example.com',
        'https:///:password@builds.example.com',
      ],
      ['must be at most 2048 characters', `https://builds.example.com/${'x'.repeat(2_022)}`],
      ['must not contain a query', 'https://builds.example.com/?', 'https://builds.example.com?a=b'],
      ['must not contain a fragment', 'https://builds.example.com/#', 'https://builds.example.com#a'],
      [
        'must not contain white space, backslashes or control characters',
        'https://builds.example.com/a b',
        'https://builds.example.com ',
        'https://builds.example.com\\a',
        'https://builds.exam\nple.com',
        'https://builds.example.com/\u0000',
      ],
    ],
  },
  encrypted_jwt: {
    passes: ['x', 'a.b-c_d==', 'x'.repeat(16_384)],
    refused: [
      ['is missing', undefined],
      ['must be a string', null],
      ['must not be empty', ''],
      ['must be printable ASCII without spaces around it, since it becomes a header', ' x', 'x\r\nHost: y', 'ü'],
      ['must be at most 16384 characters', 'x'.repeat(16_385), 'x'.repeat(1_000_000)],
    ],
  },
  poll_interval_seconds: {
    passes: [undefined, 1, 60, 3600],
    refused: [
      ['must be a number', '60', null, true, Number.NaN],
      ['must be a whole number of seconds', 1.5],
      ['must be at least 1', 0, -1],
      ['must be at most 3600', 3601],
    ],
  },
  poll_spread_seconds: {
    passes: [undefined, 0, 3600],
    refused: [
      ['must be a number', '0'],
      ['must be a whole number of seconds', 0.5],
      ['must be at least 0', -1],
      ['must be at most 3600', 3601],
    ],
  },
  deadline_seconds: {
    passes: [undefined, 1, 86_400, 10 * 365 * 86_400],
    refused: [
      ['must be a number', '1'],
      ['must be a whole number of seconds', 1.5],
      ['must be at least 1', 0],
      ['must be at most 315360000', 10 * 365 * 86_400 + 1],
    ],
  },
  requested_by: {
    passes: [undefined, 'user@host', 'Zoë', 'x'.repeat(256)],
    refused: [
      ['must be a string', 1],
      ['must not be empty', ''],
      ['must be at most 256 characters', 'x'.repeat(257)],
    ],
  },
  take_over: {
    passes: [undefined, true, false],
    refused: [
      ['must be true or false', 'true'],
      ['must be true or false', 1],
    ],
  },
  directory_group: {
    passes: [undefined, true, false],
    refused: [
      ['must be true or false', 'true'],
      ['must be true or false', null],
    ],
  },
};

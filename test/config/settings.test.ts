import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  CLIENT_SETTINGS,
  LOG_LEVELS,
  readSettings,
  SETTINGS,
  SettingsError,
  WORKER_SETTINGS,
  type Environment,
} from '../../src/config/settings.ts';

const REQUIRED: Environment = {
  API_ALB_FQDN: 'alb.example.com',
  BUILD_API_ALLOWED_ORIGINS: 'https://builds.example.com',
};

const worker = (env: Environment) => readSettings({ ...REQUIRED, ...env }, WORKER_SETTINGS);

function errorOf(env: Environment): SettingsError {
  try {
    worker(env);
  } catch (err) {
    assert.ok(err instanceof SettingsError);
    return err;
  }
  assert.fail('the settings were taken');
}

describe('settings', () => {
  it('settings have the defaults that the design gives', () => {
    const { API_ALB_FQDN, BUILD_API_ALLOWED_ORIGINS, ...defaults } = worker({});
    assert.equal(API_ALB_FQDN, 'alb.example.com');
    assert.deepEqual(BUILD_API_ALLOWED_ORIGINS, ['https://builds.example.com']);
    const expected = {
      ROLE_BUILD_TASK_QUEUE: 'role-builds',
      STATUS_TABLE: 'iam_orchestrator_execution_status',
      HISTORY_TABLE: 'iam_orchestrator_request_history',
      BUILD_API_TIMEOUT_SECONDS: 30,
      LOG_LEVEL: 'info',
    };
    assert.deepEqual({ ...defaults, ...expected }, defaults);
  });

  it('settings that are empty count as not set', () => {
    assert.equal(worker({ LOG_LEVEL: '', STATUS_TABLE: '' }).LOG_LEVEL, 'info');
    assert.match(errorOf({ API_ALB_FQDN: '' }).message, /API_ALB_FQDN is required/);
  });

  it('settings are read unchanged if they are valid', () => {
    const settings = worker({
      ROLE_BUILD_TASK_QUEUE: 'q',
      STATUS_TABLE: 's',
      HISTORY_TABLE: 'h',
      API_ALB_FQDN: 'https://ALB.example.com/x',
      BUILD_API_TIMEOUT_SECONDS: '1.5',
      LOG_LEVEL: 'debug',
    });
    assert.equal(settings.ROLE_BUILD_TASK_QUEUE, 'q');
    assert.equal(settings.STATUS_TABLE, 's');
    assert.equal(settings.HISTORY_TABLE, 'h');
    assert.equal(settings.API_ALB_FQDN, 'https://ALB.example.com/x');
    assert.equal(settings.BUILD_API_TIMEOUT_SECONDS, 1.5);
    assert.equal(settings.LOG_LEVEL, 'debug');
  });

  it('settings are reported all at once if they are missing or wrong, each by its name', () => {
    const wrong = { STATUS_TABLE: ' s', BUILD_API_TIMEOUT_SECONDS: '0', LOG_LEVEL: 'loud', API_ALB_FQDN: 'a b' };
    const error = errorOf({ ...wrong, BUILD_API_ALLOWED_ORIGINS: undefined });
    const names = [
      'STATUS_TABLE',
      'API_ALB_FQDN',
      'BUILD_API_ALLOWED_ORIGINS',
      'BUILD_API_TIMEOUT_SECONDS',
      'LOG_LEVEL',
    ];
    assert.deepEqual(
      error.faults.map((fault) => fault.split(' ')[0]),
      names,
    );
    assert.match(error.message, /^5 settings are missing or wrong:\n/);
    for (const name of names) assert.match(error.message, new RegExp(`^  ${name} `, 'm'));
  });

  it('settings say what they are for if they are missing', () => {
    const error = errorOf({ API_ALB_FQDN: undefined });
    assert.deepEqual(error.faults, [`API_ALB_FQDN is required: ${SETTINGS.API_ALB_FQDN.meaning}`]);
    assert.match(error.message, /^a setting is missing or wrong:\n/);
  });

  it('settings of the worker are not required of the command line', () => {
    assert.deepEqual(Object.keys(readSettings({}, CLIENT_SETTINGS)), [...CLIENT_SETTINGS]);
  });

  it('settings of other programs are ignored', () => {
    assert.ok(!('AWS_REGION' in worker({ AWS_REGION: 'nowhere', TEMPORAL_ADDRESS: '?' })));
  });
});

describe('API_ALB_FQDN', () => {
  for (const value of ['a b', ' a', 'a\r\nHost: b', 'ü', 'a\tb', '\u0000']) {
    it(`API_ALB_FQDN can't be ${JSON.stringify(value)}, which no header can carry`, () => {
      assert.match(errorOf({ API_ALB_FQDN: value }).message, /API_ALB_FQDN must be printable ASCII/);
    });
  }
});

describe('BUILD_API_IDEMPOTENCY_HEADER', () => {
  it('BUILD_API_IDEMPOTENCY_HEADER is the name of a header, by default none', () => {
    assert.equal(worker({}).BUILD_API_IDEMPOTENCY_HEADER, undefined);
    assert.equal(
      worker({ BUILD_API_IDEMPOTENCY_HEADER: 'Idempotency-Key' }).BUILD_API_IDEMPOTENCY_HEADER,
      'Idempotency-Key',
    );
  });

  for (const value of ['a b', 'a:', 'ä', 'Content-Type', 'X-Amzn-RequestId', 'HOST', 'authorization']) {
    it(`BUILD_API_IDEMPOTENCY_HEADER refuses ${value}`, () => {
      assert.match(
        errorOf({ BUILD_API_IDEMPOTENCY_HEADER: value }).message,
        /BUILD_API_IDEMPOTENCY_HEADER must be (the name of a header|a header that is not sent already)/,
      );
    });
  }
});

describe('BUILD_API_PROXY', () => {
  it('BUILD_API_PROXY is the URL of a proxy, by default none', () => {
    assert.equal(worker({}).BUILD_API_PROXY, undefined);
    assert.equal(worker({ HTTPS_PROXY: 'http://proxy.example.com' }).BUILD_API_PROXY, undefined);
    const value = 'http://user:password@proxy.example.com:3128';
    assert.equal(worker({ BUILD_API_PROXY: value }).BUILD_API_PROXY, value);
  });

  for (const value of [
    'proxy:3128',
    'socks5://user:s3cret@proxy',
    'http://user:s3cret@proxy/path',
    'http://',
    'http://a b',
  ]) {
    it(`BUILD_API_PROXY can't be ${value}, and is not repeated`, () => {
      const { message } = errorOf({ BUILD_API_PROXY: value });
      assert.match(message, /BUILD_API_PROXY must be a URL such as/);
      assert.ok(!message.includes('s3cret'));
    });
  }
});

describe('HEALTH_ADDRESS', () => {
  it('HEALTH_ADDRESS is a host and a port, by default on loopback', () => {
    assert.deepEqual(worker({}).HEALTH_ADDRESS, { host: '127.0.0.1', port: 8080 });
    assert.deepEqual(worker({ HEALTH_ADDRESS: '[::]:0' }).HEALTH_ADDRESS, { host: '::', port: 0 });
    assert.match(errorOf({ HEALTH_ADDRESS: ':8080' }).message, /HEALTH_ADDRESS must be HOST:PORT/);
  });
});

describe('the version', () => {
  it('the version is a deployment and a build ID, or neither', () => {
    const both = { TEMPORAL_DEPLOYMENT_NAME: 'default/role-builds', TEMPORAL_WORKER_BUILD_ID: 'v1-4f2a' };
    assert.equal(worker(both).TEMPORAL_WORKER_BUILD_ID, 'v1-4f2a');
    assert.equal(worker({}).TEMPORAL_DEPLOYMENT_NAME, undefined);
    for (const name of ['TEMPORAL_DEPLOYMENT_NAME', 'TEMPORAL_WORKER_BUILD_ID'] as const) {
      assert.match(errorOf({ ...both, [name]: '' }).message, new RegExp(`${name} must be set too`));
    }
  });
});

describe('faults of settings', () => {
  it('faults of settings are all named, also those of settings that depend on each other', () => {
    const { faults } = errorOf({
      BUILD_API_TIMEOUT_SECONDS: '61',
      BUILD_API_ALLOWED_ORIGINS: 'http://a/b,https://builds.example.com,ftp://x',
      TEMPORAL_DEPLOYMENT_NAME: 'builds',
      DIRECTORY_URL: 'ldaps://dc.example.com',
      ENCRYPTION_REQUIRED: 'true',
    });
    assert.deepEqual(faults.map((fault) => /^\w+/.exec(fault)?.[0] ?? '').sort(), [
      'BUILD_API_ALLOWED_ORIGINS',
      'BUILD_API_TIMEOUT_SECONDS',
      'DIRECTORY_BIND_USER',
      'DIRECTORY_GROUP_OU',
      'DIRECTORY_PASSWORD_FILE',
      'ENCRYPTION_REQUIRED',
      'TEMPORAL_WORKER_BUILD_ID',
    ]);
    assert.match(faults.join(), /entries 1, 3 are not/);
  });

  it('faults of settings that depend on each other are not named if one of them is invalid alone', () => {
    const { faults } = errorOf({ ENCRYPTION_KEYS: 'short', ENCRYPTION_REQUIRED: 'true' });
    assert.deepEqual(faults.length, 1, faults.join());
  });
});

describe('limits', () => {
  it('limits on calls are off by default', () => {
    const { BUILD_API_MAX_POLLS_PER_SECOND, BUILD_API_MAX_TRIGGERS_PER_SECOND, WORKER_MAX_CACHED_BUILDS } = worker({});
    assert.deepEqual(
      [BUILD_API_MAX_POLLS_PER_SECOND, BUILD_API_MAX_TRIGGERS_PER_SECOND, WORKER_MAX_CACHED_BUILDS],
      [undefined, undefined, undefined],
    );
    assert.equal(worker({ BUILD_API_MAX_POLLS_PER_SECOND: '0.5' }).BUILD_API_MAX_POLLS_PER_SECOND, 0.5);
  });

  it("limits can't be nothing, less than nothing, or half an activity", () => {
    for (const value of ['0', '-1', 'many']) {
      assert.match(errorOf({ BUILD_API_MAX_TRIGGERS_PER_SECOND: value }).message, /must be a number from/);
      assert.match(errorOf({ WORKER_MAX_CONCURRENT_POLLS: value }).message, /must be a number from/);
    }
    assert.match(errorOf({ WORKER_MAX_CONCURRENT_ACTIVITIES: '1.5' }).message, /must be a whole number/);
  });
});

it('WORKER_GRPC_COMPRESSION is off by default, and is one that Temporal knows', () => {
  assert.equal(worker({}).WORKER_GRPC_COMPRESSION, 'none');
  assert.equal(worker({ WORKER_GRPC_COMPRESSION: 'gzip' }).WORKER_GRPC_COMPRESSION, 'gzip');
  const { message } = errorOf({ WORKER_GRPC_COMPRESSION: 'zstd' });
  assert.match(message, /WORKER_GRPC_COMPRESSION must be one of none, gzip, not "zstd"/);
});

describe('BUILD_API_TIMEOUT_SECONDS', () => {
  for (const value of ['1', '60', '30.5']) {
    it(`BUILD_API_TIMEOUT_SECONDS may be ${value}`, () => {
      assert.equal(worker({ BUILD_API_TIMEOUT_SECONDS: value }).BUILD_API_TIMEOUT_SECONDS, Number(value));
    });
  }
  for (const value of ['0', '0.9', '60.1', '61', '-1', '1e1', '0x10', '30s', ' 30', 'NaN', 'Infinity', '١٠']) {
    it(`BUILD_API_TIMEOUT_SECONDS can't be ${value}`, () => {
      assert.match(errorOf({ BUILD_API_TIMEOUT_SECONDS: value }).message, /must be a number from 1 to 60/);
    });
  }
});

describe('LOG_LEVEL', () => {
  for (const value of LOG_LEVELS)
    it(`LOG_LEVEL may be ${value}`, () => assert.equal(worker({ LOG_LEVEL: value }).LOG_LEVEL, value));
  for (const value of ['INFO', 'verbose', 'toString']) {
    it(`LOG_LEVEL can't be ${value}`, () =>
      assert.match(errorOf({ LOG_LEVEL: value }).message, /must be one of fatal, error, /));
  }
});

describe('BUILD_API_ALLOWED_ORIGINS', () => {
  const origins = (value: string) => worker({ BUILD_API_ALLOWED_ORIGINS: value }).BUILD_API_ALLOWED_ORIGINS;

  for (const [value, ...expected] of [
    ['https://builds.example.com', 'https://builds.example.com'],
    ['https://builds.example.com/', 'https://builds.example.com'],
    ['HTTPS://Builds.Example.COM:443', 'https://builds.example.com'],
    ['http://builds.example.com:80', 'http://builds.example.com'],
    ['http://builds.example.com:8080', 'http://builds.example.com:8080'],
    ['http://127.1:8090', 'http://127.0.0.1:8090'],
    ['http://[0:0:0:0:0:0:0:1]:8090', 'http://[::1]:8090'],
    ['https://bücher.example', 'https://xn--bcher-kva.example'],
    [' https://a.example , ,http://b.example:1,', 'https://a.example', 'http://b.example:1'],
  ] as [string, ...string[]][]) {
    it(`BUILD_API_ALLOWED_ORIGINS are ${expected.join(' and ')} if it is "${value}"`, () =>
      assert.deepEqual(origins(value), expected));
  }

  for (const value of [
    'builds.example.com',
    'builds.example.com:443',
    '//builds.example.com',
    'ftp://builds.example.com',
    'ws://builds.example.com',
    'file:///',
    'javascript:alert(1)',
    'null',
    '*',
    'https:builds.example.com',
    'https:/builds.example.com',
    'https:\\\\builds.example.com',
    'https://builds.example.com\\@evil.example',
    'https://builds.example.com/path',
    'https://builds.example.com//',
    'https://builds.example.com/..',
    'https://builds.example.com?',
    'https://builds.example.com#',
    'https://builds.example.com:99999',
    'https://builds.example.com@evil.example',
    'https://@builds.example.com',
    'https://builds .example.com',
    'https://a.example;https://b.example',
    'https://a.example https://b.example',
    'https://',
  ]) {
    it(`BUILD_API_ALLOWED_ORIGINS can't be "${value}", nor have it among good ones`, () => {
      assert.throws(() => origins(value), /BUILD_API_ALLOWED_ORIGINS must list origins such as/);
      assert.throws(() => origins(`https://good.example,${value}`), SettingsError);
    });
  }

  for (const value of ['https://*.example.com', 'https://*']) {
    it(`BUILD_API_ALLOWED_ORIGINS can't be "${value}", which looks like a wildcard and would match nothing`, () => {
      assert.throws(() => origins(value), SettingsError);
    });
  }

  for (const value of [',', ' ']) {
    it(`BUILD_API_ALLOWED_ORIGINS can't be ${JSON.stringify(value)}, which lists none`, () => {
      assert.throws(() => origins(value), /must list at least one origin/);
    });
  }

  for (const value of [
    'https://user:s3cret@builds.example.com',
    'https://user:s3cret@builds.example.com:99999',
    'https://user:p@s3cret@builds.example.com',
    'https://user:a/s3cret@builds.example.com',
    'https:/user:s3cret@builds.example.com',
    'user:s3cret@builds.example.com',
    'https://user:a,s3cret@builds.example.com',
    'https://builds.example.com/?token=s3cret',
  ]) {
    it(`BUILD_API_ALLOWED_ORIGINS never prints a secret that was put into it by mistake, as in "${value}"`, () => {
      const error = errorOf({ BUILD_API_ALLOWED_ORIGINS: value });
      assert.ok(!`${error.message}${error.stack}${error.faults.join()}`.includes('s3cret'), error.message);
    });
  }
});

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import {
  CLIENT_SETTINGS,
  CODEC_SERVER_SETTINGS,
  readSettings,
  SETTINGS,
  WORKER_SETTINGS,
} from '../../src/config/settings.ts';
import { searchAttributes } from '../../src/contract.ts';
import { readComposeFile, secondsOf, type ComposeService } from './compose-file.ts';
import { readDockerfile, stageOf } from './dockerfile.ts';

const compose = readComposeFile();
const services = Object.entries(compose.services);
const ours = services.filter(([, { build }]) => build !== undefined);
/** The programs that use Temporal and the tables. */
const roleBuilds = ours.filter(([name, { build }]) => build?.target === 'app' && name !== 'codec-server');

function service(name: string): ComposeService {
  const found = compose.services[name];
  assert.ok(found, `there is no service ${name}`);
  return found;
}

function sourceText(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
}

function onlyMatch(text: string, pattern: RegExp): string {
  const match = pattern.exec(text)?.[1];
  assert.ok(match !== undefined, `nothing matches ${pattern}`);
  return match;
}

describe('images', () => {
  for (const [name, { image, build }] of services) {
    it(`the image of ${name} is pinned to an exact version, or built here`, () => {
      assert.notEqual(image === undefined, build === undefined);
      // Only PostgreSQL's exact versions have two numbers: https://www.postgresql.org/support/versioning/
      if (image !== undefined) assert.match(image, /^(postgres:\d+\.\d+|[a-z]+\/[a-z-]+:\d+\.\d+\.\d+)$/);
      if (build !== undefined) assert.ok(stageOf(readDockerfile(), build.target));
    });
  }

  it("images of Temporal's server and of its tools, which contain its schemas, have the same version", () => {
    const version = (name: string) => service(name).image?.split(':')[1];
    assert.equal(version('temporal-schema'), version('temporal'));
    assert.equal(version('temporal-namespace'), version('temporal'));
  });

  it('the image of DynamoDB has the version of DynamoDB Local that the tests use', () => {
    const version = onlyMatch(sourceText('dev/servers/dynamodb-local.ts'), /^const VERSION = '(.+)';$/m);
    assert.equal(service('dynamodb').image, `amazon/dynamodb-local:${version}`);
  });
});

describe('dependencies', () => {
  for (const [name, { depends_on }] of services) {
    for (const [dependency, { condition }] of Object.entries(depends_on)) {
      it(`${name} can wait for ${dependency}`, () => {
        const healthcheck = service(dependency).healthcheck;
        if (condition === 'service_healthy') assert.ok(healthcheck, `${dependency} has no health check`);
        // A service that keeps running never completes, so waiting for its completion would not end.
        else assert.equal(healthcheck, undefined, `${dependency} is no one-shot service`);
      });
    }
  }

  it('every service that listens has a health check', () => {
    for (const [name, { ports, healthcheck }] of services) {
      if (ports.length > 0) assert.ok(healthcheck, name);
    }
  });

  it('a worker starts once tables, search attributes and namespace exist', () => {
    assert.equal(service('worker').depends_on['setup']?.condition, 'service_completed_successfully');
    assert.deepEqual(service('setup').command, ['node', 'dist/client.js', 'setup']);
    assert.equal(service('setup').depends_on['temporal-namespace']?.condition, 'service_completed_successfully');
    assert.equal(service('setup').depends_on['dynamodb']?.condition, 'service_healthy');
  });

  it('the created namespace is the one that the programs use', () => {
    const created = onlyMatch(service('temporal-namespace').command?.join(' ') ?? '', /create --namespace (\S+)/);
    for (const [name, { environment }] of roleBuilds) assert.equal(environment['TEMPORAL_NAMESPACE'], created, name);
  });

  it('the command line starts only on demand', () => {
    assert.deepEqual(service('role-build').profiles, ['cli']);
    assert.deepEqual(service('role-build').entrypoint, ['node', 'dist/client.js']);
    const always = services.filter(([, { profiles }]) => profiles === undefined).map(([name]) => name);
    assert.equal(always.length, services.length - 1);
  });

  it('all used volumes and configs are declared, and all declared ones are used', () => {
    const used = (pick: (one: ComposeService) => string[]) => [...new Set(services.flatMap(([, one]) => pick(one)))];
    const volumes = used((one) => one.volumes.map((volume) => volume.split(':')[0] as string));
    assert.deepEqual(volumes.sort(), Object.keys(compose.volumes).sort());
    const configs = used((one) => one.configs.map(({ source }) => source));
    assert.deepEqual(configs.sort(), Object.keys(compose.configs).sort());
  });
});

describe('settings', () => {
  // https://docs.temporal.io/develop/environment-configuration and the AWS SDK's own.
  const known = [
    ...Object.keys(SETTINGS),
    'TEMPORAL_ADDRESS',
    'TEMPORAL_NAMESPACE',
    'AWS_REGION',
    'AWS_ACCESS_KEY_ID',
    'AWS_SECRET_ACCESS_KEY',
    'AWS_ENDPOINT_URL_DYNAMODB',
  ];

  for (const [name, { environment }] of ours) {
    it(`${name} has no setting that it does not read`, () => {
      const allowed = name === 'role-build' ? [...known, 'ENCRYPTED_JWT'] : known;
      assert.deepEqual(
        Object.keys(environment).filter((variable) => !allowed.includes(variable)),
        [],
      );
    });
  }

  it('the worker has all settings that it needs', () => {
    const environment = service('worker').environment as Record<string, string>;
    const settings = readSettings(environment, WORKER_SETTINGS);
    assert.deepEqual(settings.BUILD_API_ALLOWED_ORIGINS, ['http://simulated-build-api:8090']);
  });

  it("the codec server has the worker's keys, and answers only pages of the Web UI", () => {
    const environment = service('codec-server').environment as Record<string, string>;
    const settings = readSettings(environment, CODEC_SERVER_SETTINGS);
    assert.equal(environment['ENCRYPTION_KEYS'], service('worker').environment['ENCRYPTION_KEYS']);
    const { host, port } = settings.CODEC_SERVER_ADDRESS;
    assert.equal(service('temporal-ui').environment['TEMPORAL_CODEC_ENDPOINT'], `http://${host}:${port}`);
    const uiPort = service('temporal-ui').ports[0]?.split(':')[1];
    assert.deepEqual(settings.CODEC_SERVER_ALLOWED_ORIGINS, [
      `http://127.0.0.1:${uiPort}`,
      `http://localhost:${uiPort}`,
    ]);
  });

  it('all our programs use the same Temporal, tables and task queue', () => {
    const shared = [...CLIENT_SETTINGS, ...known.filter((variable) => /^(TEMPORAL|AWS)_/.test(variable))];
    for (const [name, { environment }] of roleBuilds) {
      for (const variable of shared) {
        assert.equal(environment[variable], service('worker').environment[variable], `${variable} of ${name}`);
      }
    }
  });

  it('addresses name services of the stack and ports on which they listen', () => {
    const ports = (name: string) => service(name).ports.map((port) => port.split(':').at(-1));
    for (const [name, { environment }] of ours) {
      for (const [variable, value] of Object.entries(environment)) {
        const [, host, port] = /^(?:http:\/\/)?([a-z-]+):(\d+)$/.exec(value ?? '') ?? [];
        if (host !== undefined) assert.ok(ports(host).includes(port), `${variable} of ${name}`);
      }
    }
  });

  it("the search attributes fit a SQL visibility store's columns", () => {
    // https://docs.temporal.io/search-attribute#custom-search-attribute-limits
    const types = Object.values(searchAttributes).map(({ type }) => type);
    assert.ok(types.filter((type) => type === 'KEYWORD').length <= 10);
    assert.ok(types.filter((type) => type === 'BOOL').length <= 3);
  });
});

describe('safety', () => {
  it('every port is reachable only from this machine', () => {
    for (const [name, { ports }] of services) {
      for (const port of ports) assert.match(port, /^127\.0\.0\.1:\d+:\d+$/, name);
    }
    const published = services.flatMap(([, { ports }]) => ports.map((port) => port.split(':')[1]));
    assert.equal(new Set(published).size, published.length);
  });

  it("a service on the host's network refuses to listen on anything but loopback", () => {
    const onHost = services.filter(([, { network_mode }]) => network_mode === 'host').map(([name]) => name);
    assert.deepEqual(onHost, ['codec-server']);
    const { environment: given, ports } = service('codec-server');
    const environment = given as Record<string, string>;
    assert.deepEqual(ports, []);
    assert.throws(() => readSettings({ ...environment, CODEC_SERVER_ADDRESS: '0.0.0.0:8081' }, CODEC_SERVER_SETTINGS));
  });

  for (const [name, one] of ours) {
    it(`${name} cannot write to its image or gain privileges`, () => {
      assert.equal(one.read_only, true);
      if (one.build?.target === 'app') assert.deepEqual(one.tmpfs, ['/tmp:size=64m']);
      assert.equal(one.init, true);
      assert.deepEqual(one.cap_drop, ['ALL']);
      assert.deepEqual(one.security_opt, ['no-new-privileges:true']);
      assert.equal(one.user, undefined, "the image's own user, which is not root");
    });
  }

  it('a worker has enough time to stop', () => {
    const forceSeconds = Number(onlyMatch(sourceText('src/worker/run.ts'), /force: '(\d+) seconds'/));
    const { stop_grace_period } = service('worker');
    assert.ok(stop_grace_period !== undefined && secondsOf(stop_grace_period) > forceSeconds);
  });
});

import assert from 'node:assert/strict';
import { userInfo } from 'node:os';
import { describe, it } from 'node:test';
import { checkSurroundings } from '../../src/config/surroundings.ts';

/** Returns the environment that a program uses. */
function after(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  checkSurroundings(env, () => {});
  return env;
}

describe('the environment of a program', () => {
  it('the environment of a program has the region of AWS_DEFAULT_REGION, unless AWS_REGION names one', () => {
    const [HOME, AWS_DEFAULT_REGION] = ['/', 'eu-west-1'];
    assert.equal(after({ HOME, AWS_DEFAULT_REGION })['AWS_REGION'], 'eu-west-1');
    assert.equal(after({ HOME, AWS_DEFAULT_REGION, AWS_REGION: '' })['AWS_REGION'], 'eu-west-1');
    assert.equal(after({ HOME, AWS_DEFAULT_REGION, AWS_REGION: 'us-east-1' })['AWS_REGION'], 'us-east-1');
    assert.equal(after({ HOME })['AWS_REGION'], undefined);
  });

  it('the environment of a program has the API key without the line break of the file that it came from', () => {
    for (const end of ['', '\n', '\r\n']) {
      assert.equal(after({ HOME: '/', TEMPORAL_API_KEY: `key${end}` })['TEMPORAL_API_KEY'], 'key');
    }
    assert.ok(!('TEMPORAL_API_KEY' in after({ HOME: '/' })));
  });

  it("the environment of a program has no empty variable of Temporal's for TLS, which the library reads as false", () => {
    for (const name of ['TEMPORAL_TLS', 'TEMPORAL_TLS_DISABLE_HOST_VERIFICATION']) {
      assert.ok(!(name in after({ HOME: '/', [name]: '' })));
      assert.equal(after({ HOME: '/', [name]: 'true' })[name], 'true');
    }
  });

  it("the environment of a program has the user's home if HOME is missing or empty, so that no library reads the current folder", () => {
    const { homedir } = userInfo();
    assert.equal(after({})['HOME'], homedir);
    assert.equal(after({ HOME: '' })['HOME'], homedir);
    assert.equal(after({ HOME: '/' })['HOME'], '/');
  });
});

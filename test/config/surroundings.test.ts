import assert from 'node:assert/strict';
import { userInfo } from 'node:os';
import { describe, it } from 'node:test';
import { checkSurroundings } from '../../src/config/surroundings.ts';

/** The environment as a program goes on with it. */
function after(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  checkSurroundings(env, () => {});
  return env;
}

describe('the surroundings of a program', () => {
  it('the surroundings of a program have the region that AWS_DEFAULT_REGION names, unless AWS_REGION names one', () => {
    const [HOME, AWS_DEFAULT_REGION] = ['/', 'eu-west-1'];
    assert.equal(after({ HOME, AWS_DEFAULT_REGION })['AWS_REGION'], 'eu-west-1');
    assert.equal(after({ HOME, AWS_DEFAULT_REGION, AWS_REGION: '' })['AWS_REGION'], 'eu-west-1');
    assert.equal(after({ HOME, AWS_DEFAULT_REGION, AWS_REGION: 'us-east-1' })['AWS_REGION'], 'us-east-1');
    assert.equal(after({ HOME })['AWS_REGION'], undefined);
  });

  it("the surroundings of a program have no variable of Temporal's for TLS that is empty, which the library takes for false", () => {
    for (const name of ['TEMPORAL_TLS', 'TEMPORAL_TLS_DISABLE_HOST_VERIFICATION']) {
      assert.ok(!(name in after({ HOME: '/', [name]: '' })));
      assert.equal(after({ HOME: '/', [name]: 'true' })[name], 'true');
    }
  });

  it("the surroundings of a program have the user's home, whatever HOME lacks, so that no library looks into the folder that it was started in", () => {
    const { homedir } = userInfo();
    assert.equal(after({})['HOME'], homedir);
    assert.equal(after({ HOME: '' })['HOME'], homedir);
    assert.equal(after({ HOME: '/' })['HOME'], '/');
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { browserCommands } from '../../../src/cli/commands/open.ts';

const URL = 'http://127.0.0.1:8233/namespaces/default/workflows/role-build%3A123456789012%3Ax';

describe('the commands that open a page', () => {
  for (const [BROWSER, commands] of [
    ['firefox', [['firefox', URL]]],
    ['firefox --new-tab', [['firefox', '--new-tab', URL]]],
    ['firefox -remote openURL(%s,new-tab) &', [['firefox', '-remote', `openURL(${URL},new-tab)`]]],
    [
      'lynx:  w3m -o x=1 %s : ',
      [
        ['lynx', URL],
        ['w3m', '-o', 'x=1', URL],
      ],
    ],
    [`"/opt/a browser/run" --title='a b' %s --at=%c99`, [['/opt/a browser/run', '--title=a b', URL, '--at=:99']]],
    ['echo 100%%s', [['echo', '100%s', URL]]],
    ['%s', [[URL]]],
  ] as const) {
    it(`the commands that open a page are those of BROWSER: ${BROWSER}`, () => {
      assert.deepEqual(browserCommands({ BROWSER }, URL), commands);
    });
  }

  it(
    "the commands that open a page are the desktop's where BROWSER says nothing, and none without a desktop",
    { skip: process.platform !== 'linux' },
    () => {
      for (const BROWSER of ['', ' ', '::']) {
        assert.deepEqual(browserCommands({ BROWSER, DISPLAY: ':0' }, URL), [['xdg-open', URL]]);
        assert.deepEqual(browserCommands({ BROWSER }, URL), []);
      }
    },
  );
});

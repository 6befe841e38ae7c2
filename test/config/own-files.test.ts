import assert from 'node:assert/strict';
import {
  existsSync,
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { cachePath, filesOfOthers, ownFolder, temporalConfigPath } from '../../src/config/own-files.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'own-files-'));
});
afterEach(() => rmSync(home, { recursive: true }));

const modeOf = (path: string) => lstatSync(path).mode & 0o7777;
/** Only root can change a file's owner. */
const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;

describe("this user's caches", () => {
  it("this user's caches are where XDG_CACHE_HOME says, if that is an absolute path, else in ~/.cache", () => {
    assert.equal(cachePath({ HOME: '/h', XDG_CACHE_HOME: '/x' }), '/x/iam-orchestrator');
    assert.equal(cachePath({ XDG_CACHE_HOME: '/x' }), '/x/iam-orchestrator');
    for (const XDG_CACHE_HOME of [undefined, '', 'x', '../x', './x']) {
      assert.equal(cachePath({ HOME: '/h', XDG_CACHE_HOME }), '/h/.cache/iam-orchestrator');
    }
    assert.throws(() => cachePath({ HOME: 'h' }), /neither XDG_CACHE_HOME nor HOME is an absolute path/);
  });
});

describe('a folder of our own', () => {
  it('a folder of our own is made with mode 0700, and so is what leads there', () => {
    const folder = ownFolder(join(home, '.cache', 'a', 'b'));
    assert.equal(folder, join(home, '.cache', 'a', 'b'));
    for (const path of [folder, dirname(folder), join(home, '.cache')]) assert.equal(modeOf(path), 0o700);
    assert.equal(ownFolder(folder), folder);
  });

  it('a folder of our own is not made in the root, nor in a file system that accepts none', () => {
    assert.throws(() => ownFolder('/no-such-home/.cache/a'), { code: 'ENOENT' });
    assert.equal(existsSync('/no-such-home'), false);
    if (process.platform === 'linux') assert.throws(() => ownFolder('/proc/none/a'), { code: 'ENOENT' });
  });

  it('a folder of our own is identified by its path without symbolic links', () => {
    const elsewhere = join(home, 'disk');
    mkdirSync(elsewhere);
    symlinkSync(elsewhere, join(home, '.cache'));
    assert.equal(ownFolder(join(home, '.cache', 'a')), join(elsewhere, 'a'));
  });

  for (const mode of [0o777, 0o770, 0o720, 0o702]) {
    it(`a folder of our own is refused with mode 0${mode.toString(8)}, and in a folder that has it`, () => {
      const folder = join(home, 'a');
      mkdirSync(folder);
      chmodSync(folder, mode);
      assert.throws(() => ownFolder(folder), /other users can write to .*a$/);
      assert.throws(() => ownFolder(join(folder, 'b')), /other users can write to .*a$/);
      assert.throws(() => lstatSync(join(folder, 'b')), /ENOENT/);
    });
  }

  it("a folder of our own is refused by a symbolic link to a folder that isn't ours", () => {
    const shared = join(home, 'shared');
    mkdirSync(shared);
    chmodSync(shared, 0o777);
    symlinkSync(shared, join(home, '.cache'));
    assert.throws(() => ownFolder(join(home, '.cache')), /other users can write to .*shared$/);
  });

  it("a folder of our own is refused if it is another user's, or in another user's", () => {
    if (!isRoot) return assert.throws(() => ownFolder('/usr'), /belongs to another user/);
    const theirs = join(home, 'theirs');
    mkdirSync(join(theirs, 'mine'), { recursive: true });
    chownSync(theirs, NOBODY, NOBODY);
    assert.throws(() => ownFolder(theirs), /theirs belongs to another user/);
    assert.throws(() => ownFolder(join(theirs, 'mine')), /theirs belongs to another user/);
    assert.throws(() => ownFolder(join(theirs, 'new')), /theirs belongs to another user/);
  });
});

describe('a file that a library reads by default', () => {
  const FILES = {
    TEMPORAL_CONFIG_FILE: '.config/temporalio/temporal.toml',
    AWS_CONFIG_FILE: '.aws/config',
    AWS_SHARED_CREDENTIALS_FILE: '.aws/credentials',
  };
  function put(path: string): string {
    const file = join(home, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, '');
    return file;
  }

  it('a file that a library reads by default is trusted if it is this user’s, if it is missing, and if its group may write', () => {
    assert.deepEqual(filesOfOthers({ HOME: home }), []);
    for (const path of Object.values(FILES)) chmodSync(put(path), 0o660);
    chmodSync(join(home, '.aws'), 0o775);
    assert.deepEqual(filesOfOthers({ HOME: home }), []);
  });

  for (const [variable, path] of Object.entries(FILES)) {
    it(`a file that a library reads by default is not if others may write to it: ${path}; unless ${variable} names it`, () => {
      const file = put(path);
      chmodSync(file, 0o646);
      const fault = `${variable} is not set, and its default, ${file}, is not trusted: other users can write to ${file}`;
      assert.deepEqual(filesOfOthers({ HOME: home }), [fault]);
      assert.deepEqual(filesOfOthers({ HOME: home, [variable]: file }), []);
      chmodSync(file, 0o600);
      chmodSync(dirname(file), 0o777);
      assert.match(filesOfOthers({ HOME: home }).join(), /other users can write to/);
    });

    it(`a file that a library reads by default is not if it is another user's: ${path}`, (t) => {
      if (!isRoot) return t.skip('only root can give a file away');
      const file = put(path);
      // A folder in which everybody may create files, such as /tmp.
      chmodSync(dirname(file), 0o1777);
      chownSync(file, NOBODY, NOBODY);
      assert.match(filesOfOthers({ HOME: home }).join(), new RegExp(`^${variable} .* belongs to another user$`));
    });
  }

  it('a file that a library reads by default is looked for where the library looks: XDG_CONFIG_HOME, and a HOME that is a relative path', () => {
    chmodSync(put('temporalio/temporal.toml'), 0o666);
    assert.match(filesOfOthers({ HOME: '/nowhere', XDG_CONFIG_HOME: home }).join(), /^TEMPORAL_CONFIG_FILE/);
    const here = process.cwd();
    process.chdir(home);
    try {
      chmodSync(put('.aws/config'), 0o666);
      assert.match(filesOfOthers({ HOME: '.' }).join(), /^AWS_CONFIG_FILE/);
    } finally {
      process.chdir(here);
    }
  });
});

describe("Temporal's settings", () => {
  it("Temporal's settings are looked for where the library does, and nowhere without HOME or under a relative path", () => {
    const folder = process.platform === 'darwin' ? '/h/Library/Application Support' : '/h/.config';
    assert.equal(temporalConfigPath({ HOME: '/h' }), `${folder}/temporalio/temporal.toml`);
    for (const env of [{}, { HOME: '' }, { HOME: 'h' }]) assert.equal(temporalConfigPath(env), undefined);
  });
});

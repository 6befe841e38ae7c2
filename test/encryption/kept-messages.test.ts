import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { EncryptionCodec } from '../../src/encryption/codec.ts';
import { KeptMessages, MAX_AGE_MS } from '../../src/encryption/kept-messages.ts';

const HELLO = Buffer.from('hello');

/** What makes upper case of a message and counts how often it was asked. */
function maker() {
  const made = {
    count: 0,
    make: (message: Uint8Array): Promise<Uint8Array> => {
      made.count += 1;
      return Promise.resolve(Buffer.from(Buffer.from(message).toString().toUpperCase()));
    },
  };
  return made;
}

describe('messages that are kept', () => {
  it('are made once', async () => {
    const kept = new KeptMessages();
    const made = maker();
    for (let i = 0; i < 3; i += 1) {
      assert.equal(Buffer.from((await kept.of('a', HELLO, made.make)).message).toString(), 'HELLO');
    }
    assert.equal(made.count, 1);
  });

  it('are taken out once', async () => {
    const kept = new KeptMessages();
    const made = maker();
    kept.keep('a', HELLO, Buffer.from('known'), Date.now() + 1_000);
    assert.equal(kept.takeOut('b', HELLO), undefined);
    assert.equal(Buffer.from(kept.takeOut('a', HELLO) ?? []).toString(), 'known');
    assert.equal(kept.takeOut('a', HELLO), undefined);
    await kept.of('a', HELLO, made.make);
    assert.equal(made.count, 1);
    kept.keep('a', HELLO, Buffer.from('known'), Date.now());
    assert.equal(kept.takeOut('a', HELLO), undefined);
  });

  it('are another for another purpose', async () => {
    const kept = new KeptMessages();
    const made = maker();
    await kept.of('a', HELLO, made.make);
    await kept.of('b', HELLO, made.make);
    assert.equal(made.count, 2);
  });

  it('are made anew after five minutes, as long as a data key is used', async (t) => {
    t.mock.timers.enable({ apis: ['Date'] });
    const kept = new KeptMessages();
    const made = maker();
    await kept.of('a', HELLO, made.make);
    t.mock.timers.tick(MAX_AGE_MS - 1);
    await kept.of('a', HELLO, made.make);
    assert.equal(made.count, 1);
    t.mock.timers.tick(1);
    await kept.of('a', HELLO, made.make);
    assert.equal(made.count, 2);
    assert.equal(MAX_AGE_MS, 300_000);
  });

  it('are forgotten, those used least first, where they get too many', async () => {
    const kept = new KeptMessages();
    const made = maker();
    const large = (n: number) => Buffer.alloc(8_000, `${n};`);
    await kept.of('a', HELLO, made.make);
    for (let n = 0; n < 10_000; n += 1) {
      await kept.of('a', large(n), made.make);
      if (n % 1_000 === 0) await kept.of('a', HELLO, made.make);
    }
    assert.equal(made.count, 10_001);
    await kept.of('a', large(9_999), made.make);
    assert.equal(made.count, 10_001);
    await kept.of('a', large(0), made.make);
    assert.equal(made.count, 10_002);
  });

  it('are no large ones, and no failures', async () => {
    const kept = new KeptMessages();
    const made = maker();
    const large = Buffer.alloc(8_193);
    for (let i = 0; i < 2; i += 1) await kept.of('a', large, made.make);
    assert.equal(made.count, 2);
    await assert.rejects(
      kept.of('a', HELLO, () => Promise.reject(new Error('no'))),
      /no/,
    );
    await kept.of('a', HELLO, made.make);
    assert.equal(made.count, 3);
  });
});

describe('the codec', () => {
  const localKeys = [{ name: 'test', key: new Uint8Array(randomBytes(32)) }];
  const payload = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('"x"') };
  const of = (workflowId: string) => ({ type: 'workflow' as const, namespace: 'default', workflowId });

  it('gives the same ciphertext for the same payload of a workflow, and another in another workflow', async () => {
    const codec = new EncryptionCodec({ localKeys }, 'default');
    const [once] = await codec.encode([payload], of('a'));
    const [twice] = await codec.encode([payload], of('a'));
    assert.deepEqual(twice, once);
    const [elsewhere] = await codec.encode([payload], of('b'));
    assert.notDeepEqual(elsewhere?.data, once?.data);
  });

  it('refuses in another workflow what it has just read in its own', async () => {
    const codec = new EncryptionCodec({ localKeys }, 'default');
    const encoded = await codec.encode([payload], of('a'));
    const [read] = await codec.decode(encoded, of('a'));
    assert.equal(Buffer.from(read?.data ?? []).toString(), '"x"');
    await assert.rejects(codec.decode(encoded, of('b')), /encrypted for another workflow/);
    await codec.decode(encoded, of('a'));
  });
});
